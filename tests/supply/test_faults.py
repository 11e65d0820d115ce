"""Labels of faults in tests and mutations are rows of docs/contributing/faults.md."""

from __future__ import annotations

import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

from mutations.cases import ROOT, load

LABEL = re.compile(r"\b[A-I]\d{1,2}\b")
ROW = re.compile(r"(?m)^\| ([A-I]\d{1,2}) \|")
TESTS = [ROOT / "tests", ROOT / "e2e"]


def labels(file: Path) -> Iterator[str]:
    """Yields the labels in the comments of a module and at the start of its docstrings."""
    with file.open("rb") as source:
        for token in tokenize.tokenize(source.readline):
            if token.type == tokenize.COMMENT:
                yield from LABEL.findall(token.string)
            elif token.type == tokenize.STRING and token.string.startswith('"""'):
                yield from LABEL.findall(token.string.split(":")[0])


def catalogue() -> list[str]:
    return ROW.findall((ROOT / "docs" / "contributing" / "faults.md").read_text())


def test_rows_of_the_catalogue_are_unique() -> None:
    rows = catalogue()
    assert len(rows) == len(set(rows)) > 50


@pytest.mark.parametrize("folder", TESTS, ids=lambda folder: folder.name)
def test_every_label_in_tests_is_in_the_catalogue(folder: Path) -> None:
    used = {label for file in folder.rglob("*.py") for label in labels(file)}
    assert used
    assert used <= set(catalogue())


def test_every_label_of_a_mutation_is_in_the_catalogue() -> None:
    assert {label for label in covered() if LABEL.fullmatch(label)} <= set(catalogue())


def test_every_row_of_the_catalogue_has_a_mutation() -> None:
    assert set(catalogue()) <= covered()


def covered() -> set[str]:
    """Labels of all mutations."""
    for case in load():
        assert case.labels, f"{case.fault}: its name begins with no label"
    return {label for case in load() for label in case.labels}
