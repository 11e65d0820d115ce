"""A model whose deletion is blocked reports that, and nothing about serving (D2, R29)."""

from __future__ import annotations

from typing import Any

import pytest

from canarium.core.facts.object_ref import ObjectRef
from canarium.core.facts.observed import BlockedDeletion
from canarium.core.phases import terminating

rule = pytest.mark.rule
SERVING: dict[str, Any] = {
    "phase": "Progressing",
    "message": "version 2 has weight 25",
    "weight": 25,
    "waitingFor": {"reason": "Manual"},
    "stable": {"revision": "r", "version": "1"},
    "conditions": [
        {"type": "Available", "status": "True", "reason": "Serving", "lastTransitionTime": "then"}
    ],
}


def model(*finalizers: str, status: Any = SERVING) -> dict[str, Any]:
    meta = {"generation": 7, "finalizers": list(finalizers)}
    return {"metadata": meta, "status": status}


def reported(
    raw: Any, *foreign: str, blocked_deletions: Any = ()
) -> tuple[dict[str, Any], dict[str, Any]]:
    """The status, and its conditions by type."""
    status = terminating.status_of(raw, foreign, tuple(blocked_deletions), since=0.0, now=9.0)
    return status, {c["type"]: c for c in status["conditions"]}


# D2
@rule("R20", "R29")
def test_status_of_a_terminating_model_names_the_finalizers_and_drops_old_facts() -> None:
    raw = model("example.com/audit")
    status, conditions = reported(raw, "example.com/audit")
    assert status["phase"] == "Terminating"
    assert "blocked by the finalizer example.com/audit" in status["message"]
    assert "failed versions are not rolled back" in status["message"]
    assert conditions["Terminating"]["reason"] == "FinalizersPending"
    assert conditions["Available"]["status"] == "Unknown"
    assert conditions["Ready"]["status"] == "False"
    assert status["observedGeneration"] == 7
    assert not {"waitingFor", "weight"} & status.keys()
    assert status["stable"] == SERVING["stable"], "who served is not forgotten"
    (event,) = terminating.events(raw, status)
    assert event.reason == "Terminating"


# D2
@rule("R29")
def test_repeated_report_changes_nothing_and_posts_no_event() -> None:
    once, _ = reported(model("a"), "a")
    again = model("a", status=once)
    twice, _ = reported(again, "a")
    assert twice == once
    assert terminating.events(again, twice) == ()


# D2
@rule("R20", "R29")
@pytest.mark.parametrize(
    ("finalizer", "reason"),
    [("foregroundDeletion", "ForegroundDeletion"), ("orphan", "OrphaningDeletion")],
)
def test_deletion_by_the_garbage_collector_has_its_own_reason(finalizer: str, reason: str) -> None:
    blocked_deletions = [BlockedDeletion(ObjectRef("Pod", "m-r-1"), ("a.io/x",), 0.0)]
    status, conditions = reported(model(finalizer), blocked_deletions=blocked_deletions)
    assert conditions["Terminating"]["reason"] == reason
    named = "Pod/m-r-1 has been terminating since" in status["message"]
    assert named == (reason == "ForegroundDeletion"), "orphaning deletes none"


# D2
@rule("R20", "R29")
def test_status_of_a_terminating_model_has_no_pod_counts() -> None:
    """Its pods may be deleted: the last counts would report that they serve."""
    counts = {"replicas": 3, "readyReplicas": 3, "effectiveWeight": 75, "weight": 75}
    stable = {"revision": "r", "version": "1", **counts}
    serving = {**SERVING, "replicas": 4, "readyReplicas": 4, "stable": stable}
    status, _ = reported(model("foregroundDeletion", status=serving))
    assert not {"replicas", "readyReplicas"} & status.keys()
    assert status["stable"] == {"revision": "r", "version": "1", "weight": 75}
