"""The locked requirements: which files exist, what they lock, and that installs check hashes."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[3]
MAKEFILE = (ROOT / "Makefile").read_text()


def test_group_cli_is_what_the_distribution_needs() -> None:
    groups = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"]
    needs = tomllib.loads((ROOT / "cli" / "pyproject.toml").read_text())["project"]["dependencies"]
    others = [name for name in needs if not name.startswith("canarium==")]
    assert len(others) == len(needs) - 1
    assert sorted(groups["cli"]) == sorted(others)


def test_make_lock_writes_every_file_of_requirements() -> None:
    recipe = MAKEFILE.partition("\nlock:")[2].partition("\n\n")[0]
    written = set(re.findall(r"-o requirements/(\S+)", recipe))
    assert written == {path.name for path in (ROOT / "requirements").glob("*.txt")}


def test_every_install_of_the_makefile_checks_hashes() -> None:
    installs = [line.strip() for line in MAKEFILE.splitlines() if "pip install" in line]
    assert len(installs) > 5
    # The project itself has no hash.
    unchecked = [
        x
        for x in installs
        if "--require-hashes" not in x
        and not x.endswith(("-e . -e ./cli", "--no-build-isolation . ./cli"))
    ]
    assert not unchecked


def test_every_locked_requirement_has_a_hash() -> None:
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text().replace("\\\n", " ")
        pinned = [line for line in text.splitlines() if re.match(r"[a-z0-9]", line)]
        assert pinned, path
        for line in pinned:
            assert re.match(r"\S+==\S+ .*--hash=sha256:[0-9a-f]{64}", line), f"{path.name}: {line}"
