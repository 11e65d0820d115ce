"""Every package of the operator explains itself: a newcomer reads its docstring first."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import canarium

ROOT = Path(canarium.__file__).parent
PACKAGES = sorted(path.parent for path in ROOT.rglob("__init__.py"))
REPOSITORY = Path(__file__).parents[2]
#: Those of them and of tests that name modules.
DESCRIBED = (*PACKAGES, REPOSITORY / "tests" / "simulation")
#: A word in backquotes, alone or with dots; a path of the repository.
_WORD, _DOTTED = re.compile(r"`([a-z_]+)`"), re.compile(r"`([a-z_]+(?:\.[a-z_]+)+)`")
_PATH = re.compile(r"\b(?:tests|docs|operator|e2e|dev)(?:/[\w-]+)+(?:\.\w+)?")
#: Names with dots of other packages.
_OTHER = {"on.event"}


def test_packages_are_found() -> None:
    assert {ROOT, ROOT / "core" / "phases"} <= {*PACKAGES}


@pytest.mark.parametrize("package", PACKAGES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_package_docstring_has_purpose_and_reading_order(package: Path) -> None:
    text = ast.get_docstring(ast.parse((package / "__init__.py").read_text())) or ""
    title, _, rest = text.partition("\n")
    assert title.endswith(".")
    assert rest, "nothing but a title"
    modules = {path.stem for path in package.glob("*.py")} | {
        path.parent.name for path in package.glob("*/__init__.py")
    }
    modules.discard("__init__")
    assert not modules or any(f"`{name}" in rest or f".{name}`" in rest for name in modules)


@pytest.mark.parametrize("package", DESCRIBED, ids=lambda path: path.name)
def test_modules_and_files_that_a_package_docstring_names_exist(package: Path) -> None:
    assert [name for name in named(package) if not stands(package, name)] == []


def test_docstring_that_names_a_removed_module_is_found(tmp_path: Path) -> None:
    (tmp_path / "here.py").touch()
    text = '"""P.\n\nReading order: `here`, `removed`, `core.removed`, tests/unit/removed.py."""\n'
    (tmp_path / "__init__.py").write_text(text)
    missing = [name for name in named(tmp_path) if not stands(tmp_path, name)]
    assert missing == ["removed", "core.removed", "tests/unit/removed.py"]


def named(package: Path) -> Iterator[str]:
    """The modules of the reading order and of lists, and all dotted names and paths."""
    text = ast.get_docstring(ast.parse((package / "__init__.py").read_text())) or ""
    for paragraph in re.split(r"\n\n|\n(?=- )", text):
        if paragraph.startswith("Reading order"):
            yield from _WORD.findall(paragraph)
        elif listed := re.match(r"- `([a-z_]+)`:", paragraph):
            yield listed[1]
    yield from (name for name in _DOTTED.findall(text) if not name.startswith("spec."))
    yield from _PATH.findall(text)


def stands(package: Path, name: str) -> bool:
    """Whether there is a module, a package, or a name in a module, or a file of the repository."""
    if name in _OTHER or "/" in name:
        return name in _OTHER or (REPOSITORY / name).exists()
    *parents, last = name.removeprefix("canarium.").split(".")
    for base in (package, ROOT, REPOSITORY):
        folder = base.joinpath(*parents)
        if (folder / f"{last}.py").exists() or (folder / last / "__init__.py").exists():
            return True
        holder = folder.with_suffix(".py")
        if parents and holder.exists() and re.search(rf"\b{last}\b", holder.read_text()):
            return True
    return False
