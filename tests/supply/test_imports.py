"""No module and no folder of the repository imports in a cycle, tests included.

import-linter checks the packages in `make check`. Tests belong to none, so ruff reads all imports
here; those inside functions count.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from collections import defaultdict
from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path, PurePosixPath

import pytest

ROOT = Path(__file__).parents[2]
#: Folders whose packages are imported by their own names, as if they were at the top.
SOURCES = ("operator", "cli", "e2e", "dev")

Graph = Mapping[str, set[str]]


@pytest.fixture(scope="module")
def imports() -> Graph:
    """Each file, and the files that it imports."""
    ruff = Path(sys.executable).with_name("ruff")
    listed = subprocess.run(["git", "ls-files", "*.py"], cwd=ROOT, capture_output=True, text=True)
    command = [ruff, "analyze", "graph", *listed.stdout.split()]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return {file: set(imported) for file, imported in json.loads(done.stdout).items()}


def cycle(graph: Graph) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def by_folder(imports: Graph) -> dict[str, Graph]:
    """For each folder, which of its files and folders import which.

    The `__init__.py` of a package is left out: its parts use its constants, and it may name parts.
    """
    folders: dict[str, dict[str, set[str]]] = defaultdict(lambda: defaultdict(set))
    for file, imported in imports.items():
        for other in imported:
            ours, theirs = _place(file).parts, _place(other).parts
            common = next(i for i, (a, b) in enumerate(zip(ours, theirs, strict=False)) if a != b)
            if "__init__.py" not in (ours[common], theirs[common]):
                folders["/".join(ours[:common])][ours[common]].add(theirs[common])
    return dict(folders)


def _place(file: str) -> PurePosixPath:
    path = PurePosixPath(file)
    source = next((folder for folder in SOURCES if path.is_relative_to(folder)), "")
    return path.relative_to(source)


def test_no_modules_import_each_other_in_a_cycle(imports: Graph) -> None:
    assert sum(map(len, imports.values())) > 5000, "ruff has found the imports"
    assert cycle(imports) == []


def test_no_folders_import_each_other_in_a_cycle(imports: Graph) -> None:
    cycles = {folder: cycle(graph) for folder, graph in by_folder(imports).items()}
    assert {folder: found for folder, found in cycles.items() if found} == {}


def test_cycle_of_folders_is_found_where_no_modules_form_one() -> None:
    imports = {
        "tests/unit/a/x.py": {"tests/unit/b/y.py"},
        "tests/unit/b/z.py": {"tests/unit/a/v.py"},
    }
    assert cycle(imports) == []
    assert set(cycle(by_folder(imports)["tests/unit"])) == {"a", "b"}


def test_contracts_cover_every_package() -> None:
    config = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    roots = [ROOT, *(ROOT / folder for folder in SOURCES)]
    packages = {path.parent.name for root in roots for path in root.glob("*/__init__.py")}
    assert packages == set(config["root_packages"])
    (acyclic,) = (c for c in config["contracts"] if c["type"] == "acyclic_siblings")
    assert packages == set(acyclic["ancestors"])
