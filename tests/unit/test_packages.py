"""Every package of the operator explains itself: a newcomer reads its docstring first."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import canarium

ROOT = Path(canarium.__file__).parent
PACKAGES = sorted(path.parent for path in ROOT.rglob("__init__.py"))


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
