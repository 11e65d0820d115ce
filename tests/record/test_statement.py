"""What an audit gets for a revision."""

from __future__ import annotations

from typing import Any

from canarium.record.statement import TYPE, periods, statement

BYTES = "a" * 64
IMAGE = "b" * 64


def event(revision: str, outcome: str, at: str) -> dict[str, Any]:
    return {"revision": revision, "outcome": outcome, "at": at}


#: Newest first, as the status has it.
HISTORY = [
    event("one", "Promoted", "T6"),
    event("three", "Failed", "T5"),
    event("two", "Undone", "T4"),
    event("two", "Promoted", "T3"),
    event("one", "Promoted", "T1"),
]


def test_periods_follow_promotions_and_undone_ones() -> None:
    assert periods("one", HISTORY) == [{"from": "T1", "until": "T3"}, {"from": "T4"}]
    assert periods("two", HISTORY) == [{"from": "T3", "until": "T4"}]
    assert periods("three", HISTORY) == []


def record(**notes: str) -> dict[str, Any]:
    return {
        "metadata": {
            "name": "fraud-one",
            "namespace": "risk",
            "labels": {"canarium.dev/revision": "one"},
            "annotations": {f"canarium.dev/{key}": value for key, value in notes.items()},
            "creationTimestamp": "T0",
        },
        "revision": 4,
        "data": {
            "digest": "c" * 64,
            "model": {"uri": "s3://m/f", "version": "7", "lineage": {"gitCommit": "4f1c2d9"}},
            "applied": {"manager": "argocd-controller", "operation": "Apply", "time": "T0"},
            "runtime": {"name": "mlserver-sklearn"},
            "template": {},
        },
    }


def test_subjects_are_the_bytes_and_the_images() -> None:
    images = f'{{"server": "docker.io/seldonio/mlserver@sha256:{IMAGE}"}}'
    notes = {"artifact": f"sha256:{BYTES}", "resolved": "4f1c2d9", "images": images}
    found = statement(record(**notes), HISTORY, "fraud")
    assert found["_type"] == TYPE
    assert found["subject"] == [
        {"name": "s3://m/f", "digest": {"sha256": BYTES}},
        {"name": "server", "digest": {"sha256": IMAGE}},
    ]
    predicate = found["predicate"]
    assert predicate["applied"]["manager"] == "argocd-controller"
    assert predicate["resolved"] == "4f1c2d9"
    assert predicate["lineage"] == {"gitCommit": "4f1c2d9"}
    assert predicate["served"][0] == {"from": "T1", "until": "T3"}
    assert [o["outcome"] for o in predicate["outcomes"]] == ["Promoted", "Promoted"]


def test_a_record_of_unknown_bytes_is_its_own_subject_with_its_verdict() -> None:
    found = statement(record(verdict="Quarantined", failure='{"reason": "NotFound"}'), [], "fraud")
    assert found["subject"][0]["digest"] == {"sha256": "c" * 64}
    assert found["predicate"]["failure"] == {"reason": "NotFound"}
