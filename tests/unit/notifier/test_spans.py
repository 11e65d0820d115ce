"""The trace of a rollout, from its transitions."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from canarium.api.status.transition import Transition
from canarium.notifier.notification import ModelTransitions
from canarium.notifier.spans import Span, spans_of
from unit.notifier.notifications import BEGAN, transition

SECOND = 1_000_000_000
START = int(BEGAN) * SECOND


def at(number: int, kind: str, **fields: Any) -> Transition:
    about = {"revision": "r2", "version": "v2"} | fields
    return transition(number, kind, **about)


CANARY = (
    at(0, "Started"),
    at(10, "WeightInEffect", weight=20),
    at(40, "WaitingForApproval"),
    at(100, "WeightInEffect", weight=50),
)


def exported(*transitions: Transition, uid: str = "u1") -> tuple[Span, ...]:
    """The spans of the last of `transitions`."""
    model = ModelTransitions("risk", "fraud", uid, 1, {}, transitions)
    return spans_of(model.notifications()[-1], "prod")


def lasted(span: Span) -> tuple[str, float, float]:
    return span.name, (span.start - START) / SECOND, (span.end - START) / SECOND


def test_promoted_rollout_has_a_span_for_each_state() -> None:
    root, *states = exported(*CANARY, at(120, "WaitingForPromotion"), at(130, "Promoted"))
    assert lasted(root) == ("rollout risk/fraud", 0, 130)
    assert [lasted(state) for state in states] == [
        ("start", 0, 10),
        ("weight 20", 10, 40),
        ("waiting for approval", 40, 100),
        ("weight 50", 100, 120),
        ("waiting for promotion", 120, 130),
    ]
    assert {span.trace_id for span in states} == {root.trace_id}
    assert {span.parent_id for span in states} == {root.span_id}
    assert len({span.span_id for span in (root, *states)}) == 6
    assert dict(root.attributes) == {
        "k8s.cluster.name": "prod",
        "k8s.namespace.name": "risk",
        "canarium.model": "fraud",
        "canarium.revision": "r2",
        "canarium.version": "v2",
        "canarium.outcome": "Promoted",
    }
    assert (root.failed, root.message) == (False, "")
    assert dict(states[1].attributes)["canarium.weight"] == 20


def test_rolled_back_rollout_is_an_error_with_its_reason() -> None:
    root, *states = exported(*CANARY[:2], at(25, "RolledBack", reason="ServerExited"))
    assert root.failed
    assert root.message == "message 25"
    assert dict(root.attributes)["canarium.reason"] == "ServerExited"
    assert [lasted(state) for state in states] == [("start", 0, 10), ("weight 20", 10, 25)]


def test_bake_is_a_further_span_of_the_same_trace() -> None:
    promoted = (*CANARY, at(130, "Promoted"))
    root = exported(*promoted)[0]
    (bake,) = exported(*promoted, at(150, "Unavailable"), at(730, "Completed"))
    assert lasted(bake) == ("bake", 130, 730)
    assert (bake.trace_id, bake.parent_id, bake.failed) == (root.trace_id, root.span_id, False)


@pytest.mark.parametrize(
    ("more", "name", "since"),
    [((), "bake", 130), ((at(200, "Completed"),), "live", 200)],
    ids=["during the bake", "after it"],
)
def test_undo_is_an_error(more: tuple[Transition, ...], name: str, since: int) -> None:
    undone = at(300, "Undone", reason="UndoCommand")
    (span,) = exported(*CANARY, at(130, "Promoted"), *more, undone)
    assert lasted(span) == (name, since, 300)
    assert span.failed


def test_newer_version_ends_the_trace_of_the_one_before() -> None:
    root, *states = exported(*CANARY, at(120, "Started", revision="r3", version="v3"))
    assert dict(root.attributes)["canarium.outcome"] == "Superseded"
    assert dict(root.attributes)["canarium.revision"] == "r2"
    assert root.failed is None
    assert lasted(states[-1]) == ("weight 50", 100, 120)


def test_version_after_a_promoted_one_begins_its_own_trace() -> None:
    promoted = (*CANARY, at(130, "Promoted"))
    later = at(900, "Started", revision="r3", version="v3")
    assert exported(*promoted, later) == ()
    rolled_back = at(950, "RolledBack", revision="r3", version="v3", reason="SmokeTestFailed")
    root = exported(*promoted, later, rolled_back)[0]
    assert lasted(root) == ("rollout risk/fraud", 900, 950)
    assert root.trace_id != exported(*promoted)[0].trace_id


def test_retry_of_a_revision_is_another_trace() -> None:
    failed = (*CANARY[:2], at(25, "RolledBack", reason="ServerExited"))
    first = exported(*failed)[0]
    second = exported(*failed, at(60, "Started"), at(70, "RolledBack", reason="ServerExited"))[0]
    assert first.trace_id != second.trace_id


def test_outage_during_a_rollout_is_an_event_of_the_root_span() -> None:
    outage = (at(50, "Unavailable"), at(55, "Available"))
    root, *states = exported(*CANARY[:3], *outage, CANARY[3], at(130, "Promoted"))
    assert [name for name, _ in root.events] == ["Unavailable", "Available"]
    assert lasted(states[2]) == ("waiting for approval", 40, 100)


@pytest.mark.parametrize("kind", ["WeightInEffect", "Paused", "Blocked", "Available", "Teleported"])
def test_transition_that_ends_nothing_sends_nothing(kind: str) -> None:
    assert exported(*CANARY, at(110, kind)) == ()


@pytest.mark.parametrize("kind", ["Promoted", "RolledBack", "Completed", "Undone"])
def test_rollout_whose_start_is_unknown_sends_nothing(kind: str) -> None:
    assert exported(at(130, kind)) == ()
    assert exported(*CANARY[1:], at(130, kind)) == ()


def test_repeated_delivery_sends_the_same_spans_and_another_model_others() -> None:
    whole = (*CANARY, at(130, "Promoted"))
    assert exported(*whole) == exported(*whole)
    ours = {replace(span, attributes=()).span_id for span in exported(*whole)}
    assert not ours & {span.span_id for span in exported(*whole, uid="u2")}
