"""No decision reads text: words are enumerated, and messages are only written (R30)."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import canarium
from canarium.api import reasons
from canarium.core.facts.observed import Rejection
from canarium.evaluation.errors import Fault
from core.cluster import Cluster, spec

rule = pytest.mark.rule
ROOT = Path(canarium.__file__).parent
DECIDING = ("core", "engine")
ENUMS = [x for x in vars(reasons).values() if isinstance(x, type) and issubclass(x, reasons.Reason)]
WORDS = {word.value for enum in ENUMS for word in enum}
#: Words that are also phases, ends of a revision, commands, or what Kubernetes and gateways say.
ELSEWHERE = {
    "Accepted",
    "Aborted",
    "CrashLoopBackOff",
    "Manual",
    "OOMKilled",
    "Paused",
    "Pending",
    "Progressing",
    "Promoted",
    "Ready",
    "RolledBack",
    "SchedulingGated",
    "Terminating",
    "Undone",
    "Unschedulable",
    "Unknown",
    # How a pause ended (`status.progress.released`).
    "InsufficientData",
}


def sources(*rooms: str) -> Iterator[tuple[str, ast.Module]]:
    for room in rooms:
        for path in sorted((ROOT / room).rglob("*.py")):
            yield str(path.relative_to(ROOT)), ast.parse(path.read_text())


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


def test_no_decision_reads_a_message() -> None:
    found = [
        f"{path}:{test.lineno}: {ast.unparse(test)}"
        for path, tree in sources(*DECIDING)
        for test in conditions(tree)
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
def test_reading_of_a_message_is_found(code: str) -> None:
    assert any(reads_text(test) for test in conditions(ast.parse(code)))


def test_reasons_are_members_of_an_enum_and_no_literals() -> None:
    found = [
        f"{path}:{node.lineno}: {node.value!r}"
        for path, tree in sources(*DECIDING, "signals", "host", "render")
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and node.value in WORDS - ELSEWHERE
    ]
    assert found == []


def test_every_word_is_explained() -> None:
    for enum in ENUMS:
        for word in enum:
            for text in (word.meaning, word.reaction, word.advice):
                assert text.endswith(".")
                assert text[0].isupper() or text[0] == "`" or text.startswith("kstatus"), text
                assert len(text) <= 200


def test_reasons_of_evaluations_are_reasons_of_checks() -> None:
    assert {fault.value for fault in Fault} <= {reason.value for reason in reasons.CheckReason}


@rule("R29")
def test_every_type_and_reason_of_a_rollout_is_in_the_reference() -> None:
    cluster = Cluster(spec("1"))
    known = {kind.value for kind in reasons.ConditionType}
    phases = {"Invalid", "Ready", "Baking", "Degraded", "Starting", "Progressing", "RollingBack"}
    for version, seconds in (("1", 20), ("2", 200), ("3", 8), ("4", 40)):
        cluster.spec = spec(version)
        cluster.rejection = Rejection("Service m", "no") if version == "4" else None
        for _ in range(seconds):
            cluster.run(1)
            assert {c.type for c in cluster.status.conditions} <= known
            assert {c.reason for c in cluster.status.conditions} <= WORDS | phases
            assert {e.reason for e in cluster.events} <= WORDS
