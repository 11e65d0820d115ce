"""The threat model names a test for each attempt, and each of them exists."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "threat-model.md").read_text()
ROWS = re.findall(r"^\| ([A-Z][0-9]+) \|(.*)\|$", PAGE, re.MULTILINE)


@cache
def functions(path: str) -> frozenset[str]:
    tree = ast.parse((ROOT / path).read_text())
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, kinds))


@pytest.mark.parametrize(("number", "row"), ROWS, ids=[number for number, _ in ROWS])
def test_every_attempt_names_tests_that_exist(number: str, row: str) -> None:
    named = re.findall(r"`([\w/.]+\.py)::(test_\w+)`", row.rpartition("|")[2])
    assert named, f"{number} names no test"
    for path, name in named:
        assert name in functions(path), f"{number}: {path} has no {name}"


def test_numbers_are_unique() -> None:
    assert ROWS
    assert len({number for number, _ in ROWS}) == len(ROWS)
