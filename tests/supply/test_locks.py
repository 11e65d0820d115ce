"""The locks are resolved for the oldest supported Python; the images have a newer one."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name

from sandbox import paths

ROOT = Path(__file__).parents[2]
[(FULL, MINOR)] = re.findall(
    r"(?m)^ARG PYTHON=\S+:((\d+\.\d+)\.\d+)-slim-\w+$", (ROOT / "Dockerfile").read_text()
)
#: Lock of an image → the environment in which its packages are installed.
LOCKS = {
    "runtime": ".venv", "dashboard": ".venv", "notifier": ".venv", "cli": ".venv",
    "fetch": ".venv-fetch",
}  # fmt: skip


def locked(lock: str) -> dict[str, str]:
    """Package → version."""
    text = (ROOT / "requirements" / f"{lock}.txt").read_text()
    pairs = re.findall(r"(?m)^([A-Za-z0-9_.-]+)==([^\s;]+)", text)
    return {canonicalize_name(name): version for name, version in pairs}


def installed(environment: str) -> dict[str, Distribution]:
    """Package → what is installed of it."""
    if environment != ".venv":
        with paths.locked(ROOT / f"{environment}.lock"):
            subprocess.run(["make", "-s", f"{environment}/.ready"], cwd=ROOT, check=True)
    [packages] = (ROOT / environment / "lib").glob("python*/site-packages")
    return {canonicalize_name(one.name): one for one in distributions(path=[str(packages)])}


def missing(packages: dict[str, Distribution], pins: dict[str, str], full: str) -> Iterator[str]:
    """Yields what a Python of the version `full` would need and the pins do not have."""
    minor = full.rpartition(".")[0]
    environment = {"python_version": minor, "python_full_version": full, "extra": ""}
    for name in pins.keys() & packages.keys():
        asked = packages[name].metadata.get("Requires-Python")
        if asked and full not in SpecifierSet(asked):
            yield f"{name} requires Python {asked}"
        for text in packages[name].requires or ():
            needed = Requirement(text)
            if needed.marker and not needed.marker.evaluate(environment):
                continue
            version = pins.get(canonicalize_name(needed.name))
            if version is None or not needed.specifier.contains(version, prereleases=True):
                yield f"{name} needs {text}, not {version}"


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_is_complete_for_the_python_of_the_image(lock: str) -> None:
    assert tuple(map(int, MINOR.split("."))) >= (3, 13)
    pins, packages = locked(lock), installed(LOCKS[lock])
    # Packages for other platforms are not installed here.
    known = pins.keys() & packages.keys()
    assert len(known) > 0.9 * len(pins)
    assert [name for name in sorted(known) if packages[name].version != pins[name]] == []
    assert sorted(missing(packages, pins, FULL)) == []


def test_dependency_of_a_newer_python_is_missing(tmp_path: Path) -> None:
    folder = tmp_path / "one-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(
        "Metadata-Version: 2.1\nName: one\nVersion: 1\nRequires-Python: <3.14\n"
        'Requires-Dist: two>=2; python_version >= "3.13"\n'
    )
    packages = {one.name: one for one in distributions(path=[str(tmp_path)])}
    assert list(missing(packages, {"one": "1"}, "3.12.1")) == []
    [absent] = missing(packages, {"one": "1"}, "3.13.1")
    assert absent.startswith("one needs two>=2")
    assert len(list(missing(packages, {"one": "1", "two": "1"}, "3.13.1"))) == 1
    assert list(missing(packages, {"one": "1", "two": "2"}, "3.13.1")) == []
    assert "one requires Python <3.14" in missing(packages, {"one": "1"}, "3.14.0")
