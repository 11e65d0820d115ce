"""The demo models are what their script makes, and answer as their names promise."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "examples" / "models"
VERSIONS = ("v1", "v2", "v3", "v4", "v5")


def documents(name: str) -> list[dict[str, Any]]:
    return [body for body in yaml.safe_load_all((FOLDER / name).read_text()) if body]


def run(sklearn_python: Path, folder: Path, *words: str) -> dict[str, Any]:
    done = subprocess.run(
        [sklearn_python, folder / "train.py", *words], capture_output=True, text=True, check=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.slow
def test_script_writes_the_same_bytes(sklearn_python: Path, tmp_path: Path) -> None:
    folder = tmp_path / "models"
    folder.mkdir()
    for name in ("train.py", "request.jsonl"):
        shutil.copy(FOLDER / name, folder)
    by_hand = (FOLDER / "server.yaml").read_text().partition("binaryData:")[0]
    (folder / "server.yaml").write_text(f"{by_hand}binaryData: # written by train.py\n")
    run(sklearn_python, folder)
    for name in ("server.yaml", *(f"{version}/model.joblib" for version in VERSIONS)):
        assert (folder / name).read_bytes() == (FOLDER / name).read_bytes(), name


@pytest.mark.slow
def test_each_version_answers_as_the_readme_describes(sklearn_python: Path) -> None:
    found = run(sklearn_python, FOLDER, "--check")
    accuracy = found["accuracy"]
    assert accuracy["v3"] < 0.2 < accuracy["v1"] < accuracy["v2"] <= accuracy["v5"]
    assert accuracy["v4"] == "EOFError"
    page = (ROOT / "examples" / "README.md").read_text()
    table = dict(re.findall(r"(?m)^\| `fraud-(v\d)\.yaml` \| [^|]+ \| ([^|]+) \|", page))
    assert table == {
        version: f"{value:.0%}" if isinstance(value, float) else "–"
        for version, value in accuracy.items()
    }
    smoke = documents("fraud-v2.yaml")[0]["spec"]["rollout"]["smokeTests"][0]
    assert found["request"] == smoke["expect"]["json"][0]["value"]


def test_config_map_has_the_files() -> None:
    [config] = [body for body in documents("server.yaml") if body["kind"] == "ConfigMap"]
    files = {key: base64.b64decode(text) for key, text in config["binaryData"].items()}
    assert files == {v: (FOLDER / v / "model.joblib").read_bytes() for v in VERSIONS}
    assert sum(map(len, files.values())) < 10_000


def test_versions_differ_in_nothing_but_the_model() -> None:
    bodies = {version: documents(f"fraud-{version}.yaml")[0] for version in VERSIONS}
    for version, body in bodies.items():
        assert body["spec"]["model"].pop("version") == version
        assert body["spec"]["model"].pop("uri") == f"http://models/{version}/model.joblib"
        assert body == bodies["v1"]


def test_every_client_sends_the_request_of_the_smoke_test() -> None:
    request = json.loads((FOLDER / "request.jsonl").read_text())
    tests = documents("fraud-v1.yaml")[0]["spec"]["rollout"]["smokeTests"]
    [pod] = documents("traffic.yaml")
    environment = {e["name"]: e["value"] for e in pod["spec"]["containers"][0]["env"]}
    sent = json.loads(environment["BODY"])
    for body in (tests[0]["body"], sent):
        [tensor] = body["inputs"]
        assert tensor == request["inputs"][0]
