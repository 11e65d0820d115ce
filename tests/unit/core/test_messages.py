"""Messages against their golden file, which shows every one that the operator can produce."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable, Iterator
from enum import EnumType
from functools import cache
from pathlib import Path

import pytest

import canarium.core
from canarium.api import reasons
from canarium.api.reasons import (
    EventReason,
    FailureReason,
    HoldReason,
    ObstacleReason,
    WarningReason,
)
from canarium.api.states import Phase
from core import messages, other_messages
from core.message_log import normalised

CORE = Path(canarium.core.__file__).parent
#: Packages whose sentences are for people.
WORDED = ("bookkeeping", "context", "health", "outcomes", "phases", "routing", "status")
#: Two words: what has less is a name.
_WORDS = re.compile(r"[A-Za-z]{2,} [A-Za-z]{2,}")


def fragments(path: Path) -> Iterator[str]:
    """Yields the parts of messages that a module contains: its texts of two words and more."""
    tree = ast.parse(path.read_text())
    skipped: set[int] = set()
    for node in ast.walk(tree):
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef)
        if documented and node.body and isinstance(node.body[0], ast.Expr):
            skipped.add(id(node.body[0].value))
    for node in ast.walk(tree):
        text = node.value if isinstance(node, ast.Constant) else None
        if isinstance(text, str) and id(node) not in skipped and _WORDS.search(text):
            yield text


def plain(text: str) -> str:
    """Returns `text` for comparison: the first word of a sentence may have any case."""
    return " ".join(normalised(text).lower().split())


@cache
def golden_text() -> str:
    """Returns the golden file, for comparison with parts of messages."""
    return plain(messages.GOLDEN.read_text())


def missing(lines: set[messages.Line], provoked: Iterable[messages.Line]) -> list[messages.Line]:
    """Returns the texts of tests of which the golden file does not show every sentence."""
    shown = {item for line in lines for item in messages.items(line)}
    return sorted(line for line in provoked if not messages.items(line) <= shown)


@pytest.mark.slow
def test_messages_are_those_of_the_golden_file() -> None:
    lines, tests = messages.golden()
    provoked = messages.logged(tests)
    outdated = sorted(lines - provoked.keys())
    assert (outdated, missing(lines, provoked)) == ([], []), "run `make messages`"


def test_golden_file_shows_the_messages_of_some_tests() -> None:
    lines, tests = messages.golden()
    provoked = messages.logged(tests[::90])
    assert provoked
    assert missing(lines, provoked) == [], "run `make messages`"


def test_golden_file_is_the_same_for_the_same_texts() -> None:
    lines, tests = messages.golden()
    assert messages.selected(lines) == messages.selected(sorted(lines, reverse=True))
    assert messages.page(messages.selected(lines), tests) == messages.GOLDEN.read_text()


@pytest.mark.parametrize(
    "module",
    sorted(path for name in WORDED for path in (CORE / name).glob("*.py")),
    ids=lambda path: f"{path.parent.name}/{path.name}",
)
def test_golden_file_shows_every_sentence_of(module: Path) -> None:
    shown = golden_text()
    parts = [x for x in fragments(module) if module.name != "table.py"]
    missing = [x for x in parts if plain(x).strip(" .,:;()") not in shown]
    assert not missing


def headings() -> dict[str, set[str]]:
    """Returns the reasons that each section has a heading for."""
    found: dict[str, set[str]] = {}
    section = ""
    for line in messages.GOLDEN.read_text().splitlines():
        if line.startswith("## "):
            section = line[3:].partition(":")[0]
        if line.startswith("### "):
            found.setdefault(section, set()).add(line[4:].rpartition(" / ")[2])
    return found


@pytest.mark.parametrize(
    ("section", "reason"),
    [
        *(("Status message", reason) for reason in HoldReason),
        *(("Failure", reason) for reason in FailureReason),
        *(("Event", reason) for reason in EventReason),
        *(("Condition", reason) for reason in ObstacleReason),
        *(("Warning", reason) for reason in WarningReason),
    ],
)
def test_golden_file_shows_the_reason(section: str, reason: str) -> None:
    assert reason in headings()[section]


#: Reasons that other systems give, passed on as they are: the Gateway API's and an autoscaler's.
OF_OTHERS = {"NoMatchingListenerHostname", "FailedGetResourceMetric"}


def test_reasons_in_the_golden_file_are_those_of_the_product() -> None:
    enums = [one for one in vars(reasons).values() if isinstance(one, EnumType)]
    known = {str(reason) for enum in (*enums, Phase) for reason in enum} | OF_OTHERS
    lines, _ = messages.golden()
    shown = {
        key.rpartition(" / ")[2]
        for section, key, _ in lines
        if section in ("Wait", "Failure", "Evidence", "Warning") or " / " in key
        if section != "Command"
    }
    assert shown - known == set(), "a test invents them"


def test_every_module_with_messages_is_in_a_golden_file() -> None:
    sections = (*other_messages.SECTIONS.values(), other_messages.ELSEWHERE)
    patterns = [pattern for section in sections for pattern in section]
    patterns += [f"core/{name}/*.py" for name in WORDED]
    package = other_messages.PACKAGE
    shown = {path for pattern in patterns for path in package.glob(pattern)}
    others = set(package.rglob("*.py")) - shown
    assert sorted(path for path in others if any(other_messages.messages(path))) == []


def test_messages_outside_of_decisions_are_those_of_their_golden_file() -> None:
    assert other_messages.page() == other_messages.GOLDEN.read_text(), "run `make messages`"
