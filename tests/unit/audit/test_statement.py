"""What an audit gets for a revision."""

from __future__ import annotations

import json
from typing import Any

from canarium.audit.statement import TYPE, statement
from canarium.core.facts.periods import Period, period_to_json
from canarium.core.times import stamp
from canarium.view.serving import serving_periods

BYTES = "a" * 64
IMAGE = "b" * 64


def event(revision: str, outcome: str, at: str) -> dict[str, Any]:
    return {"revision": revision, "outcome": outcome, "time": at}


#: Newest first, as the status has it.
HISTORY = [
    event("one", "Promoted", "T6"),
    event("three", "Failed", "T5"),
    event("two", "Undone", "T4"),
    event("two", "Promoted", "T3"),
    event("one", "Promoted", "T1"),
]


def when(revision: str, found: tuple[Period, ...]) -> list[dict[str, str]]:
    return [period_to_json(period) for period in found if period.revision == revision]


def test_periods_follow_promotions_and_undone_ones() -> None:
    found = serving_periods([], None, HISTORY)
    first = {"from": "T1", "promoted": "T1", "until": "T3"}
    assert when("one", found) == [first, {"from": "T4", "promoted": "T4"}]
    assert when("two", found) == [{"from": "T3", "promoted": "T3", "until": "T4"}]
    assert when("three", found) == []


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
            "identity": {"resolved": "hf://o/m@4f1c2d9"},
            "model": {"uri": "s3://m/f", "version": "7", "lineage": {"gitCommit": "4f1c2d9"}},
            "applied": {"manager": "argocd-controller", "operation": "Apply", "time": "T0"},
            "runtime": {"name": "mlserver-sklearn"},
            "template": {},
        },
    }


def test_subjects_are_the_bytes_and_the_images() -> None:
    images = f'{{"server": "docker.io/seldonio/mlserver@sha256:{IMAGE}"}}'
    signed = {"key": "sha256:key", "subject": "fraud", "digest": "sha256:statement"}
    notes = {"artifact": f"sha256:{BYTES}", "images": images}
    notes["signature"] = json.dumps(signed)
    found = statement(record(**notes), HISTORY, "fraud", serving_periods([], None, HISTORY))
    assert found["_type"] == TYPE
    assert found["subject"] == [
        {"name": "s3://m/f", "digest": {"sha256": BYTES}},
        {"name": "server", "digest": {"sha256": IMAGE}},
    ]
    predicate = found["predicate"]
    assert predicate["applied"]["manager"] == "argocd-controller"
    assert predicate["resolved"] == "hf://o/m@4f1c2d9"
    assert predicate["signature"] == signed
    assert predicate["lineage"] == {"gitCommit": "4f1c2d9"}
    assert predicate["served"][0] == {"from": "T1", "promoted": "T1", "until": "T3"}
    assert predicate["verdict"] == "Promoted"
    assert [o["outcome"] for o in predicate["outcomes"]] == ["Promoted", "Promoted"]


def test_every_digest_of_an_image_is_a_subject() -> None:
    images = json.dumps({"server": [f"m@sha256:{IMAGE}", f"m@sha256:{BYTES}"]})
    found = statement(record(images=images), [], "fraud")
    assert [s["digest"]["sha256"] for s in found["subject"]] == [IMAGE, BYTES]


def test_record_of_unknown_bytes_is_its_own_subject_with_its_verdict() -> None:
    found = statement(record(verdict="Quarantined", failure='{"reason": "NotFound"}'), [], "fraud")
    assert found["subject"][0]["digest"] == {"sha256": "c" * 64}
    assert found["predicate"]["failure"] == {"reason": "NotFound"}


def test_periods_are_restored_from_records_and_service_without_a_status() -> None:
    """The record of the version after has those before it; the Service has who serves."""
    first, third, fourth = stamp(1), stamp(3), stamp(4)
    noted = record(served=json.dumps([{"revision": "one", "from": first, "promoted": first}]))
    notes = {"stable": "two", "promoted-at": fourth, "traffic-since": f"two/{third}"}
    service = {"metadata": {"annotations": {f"canarium.dev/{k}": v for k, v in notes.items()}}}
    found = serving_periods([noted], service, [])
    assert when("one", found) == [{"from": first, "promoted": first, "until": fourth}]
    assert when("two", found) == [{"from": third, "promoted": fourth}]


def test_rolled_back_canary_has_a_period() -> None:
    canary = {"revision": "one", "from": stamp(1), "until": stamp(2)}
    noted = record(served=json.dumps([canary]), verdict="Quarantined")
    predicate = statement(noted, [], "fraud", serving_periods([noted], None, []))["predicate"]
    assert predicate["served"] == [{"from": stamp(1), "until": stamp(2)}]
    assert predicate["verdict"] == "Quarantined"


def test_statement_has_the_training_run() -> None:
    run = {"runId": "f80d", "metrics": {"auc": 0.93}}
    found = statement(record(**{"training-run": json.dumps(run)}), [], "fraud")
    assert found["predicate"]["trainingRun"] == run
    assert "trainingRun" not in statement(record(), [], "fraud")["predicate"]


def test_version_that_serves_without_a_promotion_has_no_verdict() -> None:
    period = Period("one", "2026-01-01T00:00:00.000Z", "2026-01-01T00:00:00.000Z")
    noted = record(**{"took-over": '{"time": "2026-01-01T00:00:00.000Z"}'})
    assert statement(noted, [], "fraud", [period])["predicate"].get("verdict") is None
    released = record(**{"took-over": ""})
    assert statement(released, [], "fraud", [period])["predicate"]["verdict"] == "Promoted"
