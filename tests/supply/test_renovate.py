"""The configuration of the bot that proposes newer runtimes finds every one of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import yaml

from support.model_servers.images import APPLICATION_SERVERS, MLSERVER, PYTHON_SERVERS

ROOT = Path(__file__).parents[2]
CONFIG: dict[str, Any] = json.loads((ROOT / "renovate.json").read_text())
RUNTIMES = ROOT / "operator" / "canarium" / "runtimes"


def pattern(manager: dict[str, Any]) -> re.Pattern[str]:
    (text,) = manager["matchStrings"]
    return re.compile(text.replace("(?<", "(?P<"))


def test_image_of_every_built_in_runtime_is_found() -> None:  # G9
    find = pattern(CONFIG["customManagers"][0])
    for path in RUNTIMES.glob("*.yaml"):
        image = yaml.safe_load(path.read_text())["spec"].get("image")
        found = [":".join(match.groups()) for match in find.finditer(path.read_text())]
        assert found == ([image] if image else []), path.name


def test_every_model_server_that_boots_in_the_tests_is_found() -> None:
    manager = CONFIG["customManagers"][1]
    folders = ("demo/registry", "e2e/support/model_servers")
    sources = [ROOT / folder / "images.py" for folder in folders]
    (files,) = manager["managerFilePatterns"]
    for source in sources:
        assert re.match(files.strip("/"), source.relative_to(ROOT).as_posix())
    text = "".join(source.read_text() for source in sources)
    found = {"==".join(match.groups()) for match in pattern(manager).finditer(text)}
    bare = {re.sub(r"\[.*\]", "", line) for line in APPLICATION_SERVERS}
    assert found >= {*MLSERVER, *PYTHON_SERVERS, *bare}


def test_rules_about_single_images_name_images_that_are_used() -> None:
    used = "".join(path.read_text() for path in RUNTIMES.glob("*.yaml"))
    for rule in CONFIG["packageRules"]:
        for name in rule["matchPackageNames"]:
            assert f"image: {name}:" in used
            if rule["versioning"].startswith("regex:"):
                tag = re.search(rf"image: {re.escape(name)}:(\S+)", used)
                assert tag
                version = rule["versioning"].removeprefix("regex:").replace("(?<", "(?P<")
                assert re.match(version, tag[1]), tag[1]


def test_images_of_mlserver_are_those_of_one_runtime() -> None:  # G9
    paths = list(RUNTIMES.glob("mlserver-*.yaml"))
    assert paths
    for path in paths:
        image = yaml.safe_load(path.read_text())["spec"]["image"]
        assert image.endswith(f"-{path.stem.removeprefix('mlserver-')}"), "3.7 GB with all of them"
