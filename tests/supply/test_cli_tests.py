"""docs/contributing/cli-tests.md names tests that exist, for every verb and every exit code."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from canarium_cli.exits import Exit
from canarium_cli.main import VERBS

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "contributing" / "cli-tests.md"
_TEST = re.compile(r"`(?P<path>[\w/]+\.py)::(?P<name>\w+)`")


def rows(heading: str) -> dict[str, list[tuple[str, str]]]:
    """The rows of the table below a heading: the first cell, with the tests of the row."""
    section = PAGE.read_text().partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")][1:]
    cells = {line.split("|")[1].strip(): _TEST.findall(line) for line in lines}
    assert len(cells) == len(lines)
    return cells


def defined(path: str) -> set[str]:
    """The test functions of a file of tests/ or e2e/."""
    return {x.name for x in ast.walk(parsed(path)) if isinstance(x, FUNCTIONS)}


def parsed(path: str) -> ast.Module:
    """The syntax tree of a file of tests/ or e2e/."""
    file = ROOT / path if path.startswith("e2e/") else ROOT / "tests" / path
    return ast.parse(file.read_text())


def words(path: str, name: str) -> set[str]:
    """The words of the strings in a test function, its decorators included."""
    for node in ast.walk(parsed(path)):
        if isinstance(node, FUNCTIONS) and node.name == name:
            strings = (x.value for x in ast.walk(node) if isinstance(x, ast.Constant))
            return {word for text in strings if isinstance(text, str) for word in text.split()}
    return set()


def test_every_verb_has_a_test_that_exists() -> None:
    found = rows("Verbs")
    assert list(found) == [f"`{verb}`" for verb in VERBS]
    _assert_exist(found)


def test_tests_of_a_verb_run_it() -> None:
    """At least one of them has the verb among the words of a string, so that a row whose tests are
    about something else is noticed."""
    strangers = [
        verb
        for row, tests in rows("Verbs").items()
        if (verb := row.strip("`")) and not any(verb in words(*test) for test in tests)
    ]
    assert strangers == []


def test_every_exit_code_has_a_test_that_exists() -> None:
    found = rows("Exit codes")
    assert list(found) == [str(int(code)) for code in Exit]
    _assert_exist(found)


def test_every_bad_input_has_a_test_that_exists() -> None:
    found = rows("Bad input")
    assert len(found) > 5
    _assert_exist(found)


def _assert_exist(found: dict[str, list[tuple[str, str]]]) -> None:
    for row, tests in found.items():
        assert tests, f"{row} has no test"
        for path, name in tests:
            assert name in defined(path), f"{row}: {path} has no {name}"
