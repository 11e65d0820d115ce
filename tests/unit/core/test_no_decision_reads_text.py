"""Decisions depend on facts and reasons: no branch of core or engine reads a message (R30)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[3] / "operator" / "canarium"
MODULES = sorted(
    path.relative_to(PACKAGE).as_posix()
    for room in ("core", "engine")
    for path in (PACKAGE / room).rglob("*.py")
)
#: Attributes that hold words for people.
TEXTS = frozenset({"message", "waiting_message", "unschedulable_message"})
#: Where text is read on purpose: responses of the API server become reasons here, since it has no
#: code for a full quota or a failed webhook; and a message is composed without repetition.
BOUNDARY = frozenset(
    {"engine/apply/dry_run.py", "engine/apply/rejections.py", "core/health/obstacles.py"}
)
#: Methods that search in a text.
SEARCHES = frozenset({"startswith", "endswith", "find", "index", "count"})


def reads(tree: ast.AST) -> Iterator[int]:
    """Yields the line of each comparison with, or search in, a text for people."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Compare):
            if any(_is_text(part) for part in (node.left, *node.comparators)):
                yield node.lineno
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            if node.func.attr in SEARCHES and _is_text(node.func.value):
                yield node.lineno
        elif isinstance(node, ast.Match) and _is_text(node.subject):
            yield node.lineno


def _is_text(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and node.attr in TEXTS


@pytest.mark.rule("R30")
@pytest.mark.parametrize("name", sorted({*MODULES} - BOUNDARY))
def test_no_decision_reads_a_message(name: str) -> None:
    assert list(reads(ast.parse((PACKAGE / name).read_text()))) == []


def test_modules_that_may_read_text_exist() -> None:
    assert BOUNDARY - {*MODULES} == set()


@pytest.mark.rule("R30")
@pytest.mark.parametrize(
    "source",
    ['"gone" in pod.message', "a.message != b.message", 'hold.message.startswith("a")'],
)
def test_reading_a_message_is_found(source: str) -> None:
    assert list(reads(ast.parse(source))) == [1]


def conditions(tree: ast.AST) -> Iterator[ast.expr]:
    """Every expression that decides something."""
    for node in ast.walk(tree):
        match node:
            case ast.If(test=test) | ast.While(test=test) | ast.IfExp(test=test):
                yield test
            case ast.Assert(test=test):
                yield test
            case ast.Compare():
                yield node
            case ast.comprehension(ifs=tests):
                yield from tests
            case ast.Match(subject=subject):
                yield subject


def reads_text(found: ast.expr) -> bool:
    return any(
        isinstance(node, ast.Attribute) and node.attr in ("message", "unschedulable_message")
        for node in ast.walk(found)
    )


def test_no_condition_contains_a_message() -> None:
    found = [
        f"{name}:{test.lineno}: {ast.unparse(test)}"
        for name in MODULES
        for test in conditions(ast.parse((PACKAGE / name).read_text()))
        if reads_text(test)
    ]
    assert found == []


@pytest.mark.parametrize(
    "code",
    [
        "if s.status.message: pass",
        "x = 1 if found.message in known else 2",
        "y = [e for e in events if e.message == old.message]",
        "z = text not in after.message",
        "while 'quota' in error.message: pass",
    ],
)
def test_condition_with_a_message_is_found(code: str) -> None:
    assert any(reads_text(test) for test in conditions(ast.parse(code)))
