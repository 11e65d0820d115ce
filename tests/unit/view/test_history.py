"""The history of a model and what differs between its revisions, from objects of a real one."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from canarium import GROUP
from canarium.core.facts import traffic_record
from canarium.view.difference import differences, find, usual_pair
from canarium.view.history import HistoryEntry, history
from canarium.view.objects import Objects
from canarium.view.serving import serving_periods
from canarium.view.training_run import ANNOTATION, described, training_run
from canarium.view.tree import Role
from view.samples import objects

TRAINING_RUN: dict[str, Any] = {
    "runId": "f80dcbf1dfe3415d",
    "gitCommit": "4f1c2d9aa",
    "datasets": [
        {"name": "transactions", "digest": "ab12", "context": "training"},
        {"name": "labels"},
    ],
    "metrics": {"auc": 0.93, "loss": "NaN"},
    "omitted": {"metrics": 480},
    "signature": {
        "inputs": [{"name": "amount", "type": "double"}],
        "outputs": [{"type": "float32", "shape": "[-1, 3]"}],
        "omitted": {"inputs": 3},
    },
    "unavailable": ["a", "b"],
}


def entries(name: str) -> tuple[HistoryEntry, ...]:
    found, now = objects(name)
    return history(found, found.services[0], now)


def test_each_revision_has_its_time_with_traffic_and_its_outcome() -> None:
    fourth, third, second, first = entries("rolled-back")
    assert [x.number for x in (fourth, third, second, first)] == [4, 3, 2, 1]
    assert (fourth.role, fourth.outcome, fourth.by) == (Role.FAILED, "RolledBack", "operator")
    (canary,) = fourth.served
    assert (canary.promoted_time, canary.until_time) == ("", "2026-11-28T14:29:19.426Z")
    assert third.served == ()
    (now,) = second.served
    assert (second.role, now.until_time) == (Role.STABLE, "")
    (before,) = first.served
    assert before.until_time == now.promoted_time
    assert first.image_digests[0].startswith("server=sha256:")
    assert first.applied_by == "kubectl-client-side-apply"


def test_pruned_revision_is_listed_from_the_status() -> None:
    found, now = objects("rolled-back")
    left = Objects.of(found.model, [*found.services, *found.records[:1]])
    listed = history(left, None, now)
    assert {x.revision for x in listed} == {x.revision for x in entries("rolled-back")}
    pruned = next(x for x in listed if x.revision == "jgpcfw9h")
    assert (pruned.number, pruned.version, pruned.outcome) == (0, "v1", "Promoted")


def test_weight_and_step_of_a_failure_are_those_of_its_record() -> None:
    found, now = objects("rolled-back")
    name = f"{GROUP}/failure"
    records = copy.deepcopy(found.records)
    for record in records:
        notes = record["metadata"].get("annotations", {})
        if name in notes:
            notes[name] = json.dumps({**json.loads(notes[name]), "weight": 50, "step": "2/3"})
    listed = history(Objects.of(found.model, records), None, now)
    failed = [(x.failed_weight, x.failed_step) for x in listed]
    assert failed == [(50, "2/3"), (50, "2/3"), (None, ""), (None, "")]


def test_weight_and_step_of_a_failure_are_those_of_the_status_without_a_record() -> None:
    found, now = objects("rolled-back")
    model = copy.deepcopy(dict(found.model))
    model["status"]["failure"] |= {"weight": 0, "step": "1/3"}
    revision = model["status"]["failure"]["revision"]
    listed = history(Objects.of(model, []), None, now)
    failed = {x.revision: (x.failed_weight, x.failed_step) for x in listed if x.failed_step}
    assert failed == {revision: (0, "1/3")}


def test_current_traffic_is_read_from_the_annotations_that_the_operator_writes() -> None:
    notes = traffic_record.TrafficRecord(
        stable="one",
        candidate="two",
        promoted_at="2026-11-28T14:00:00.000Z",
        traffic_since="two/2026-11-28T15:00:00.000Z",
        images='{"two": {"server": "sha256:2"}}',
    ).to_annotations()
    stable, candidate = serving_periods([], {"metadata": {"annotations": notes}}, [])
    assert (stable.revision, stable.promoted) == ("one", "2026-11-28T14:00:00.000Z")
    assert (candidate.revision, candidate.began) == ("two", "2026-11-28T15:00:00.000Z")
    assert candidate.images == {"server": ["sha256:2"]}


def changed(name: str, **options: Any) -> dict[str, tuple[str | None, str | None]]:
    found, now = objects(name)
    pair = usual_pair(found.model, found)
    assert pair
    before, after = (find(found, x) for x in pair)
    assert before
    assert after
    known = {x.revision: x for x in history(found, found.services[0], now)}
    listed = differences(before, after, known, **options)
    return {x.field: (x.before, x.after) for x in listed}


def test_failed_revision_is_compared_with_stable() -> None:
    found = changed("rolled-back")
    assert found["model.version"] == ("v2", "v4")
    assert found["runtime.image"] == ("canarium.dev/fraud:v2", "canarium.dev/fraud:v4")
    assert set(found) == {"model.version", "runtime.image", "image digest of server"}


def test_pod_template_is_compared_on_request_without_the_revision_label() -> None:
    found = changed("rolled-back", pod=True)
    assert "pod template spec.containers[server].image" in found
    assert not any("canarium.dev/revision" in x for x in found)


def test_added_container_does_not_move_the_others() -> None:
    found, _ = objects("rolled-back")
    before = found.records[0]
    after: Any = copy.deepcopy(before)
    after["data"]["template"]["spec"]["containers"].insert(0, {"name": "side", "image": "s:1"})
    listed = differences(before, after, {}, pod=True)
    assert [x.field for x in listed] == [
        "pod template spec.containers[side].image",
        "pod template spec.containers[side].name",
    ]
    assert {x.before for x in listed} == {None}


def test_promoted_revision_is_compared_with_the_one_that_it_replaced() -> None:
    found, _ = objects("ready")
    assert usual_pair(found.model, found) == ("jgpcfw9h", "4nb6hnp6")
    single = Objects.of(found.model, [x for x in found.records if x["revision"] == 2])
    assert usual_pair(found.model, single) is None


def test_revision_is_found_by_name_number_and_unique_version() -> None:
    found, _ = objects("rolled-back")
    for word in ("jgpcfw9h", "1", "v1"):
        record = find(found, word)
        assert record
        assert record["metadata"]["name"] == "fraud-jgpcfw9h"
    twice = Objects.of(found.model, [*found.records, found.records[0]])
    version = found.records[0]["data"]["model"]["version"]
    assert find(twice, version) is None


def test_training_run_of_a_record_is_part_of_its_history() -> None:
    found, now = objects("rolled-back")
    records = copy.deepcopy(found.records)
    newest = max(records, key=lambda record: record["revision"])
    newest["metadata"].setdefault("annotations", {})[ANNOTATION] = json.dumps(TRAINING_RUN)
    entry, *others = history(Objects.of(found.model, records), None, now)
    assert entry.training_run == TRAINING_RUN
    assert [other.training_run for other in others] == [None] * 3


def test_training_run_is_described_by_what_it_has() -> None:
    assert described(TRAINING_RUN) == (
        ("Run", "f80dcbf1dfe3415d"),
        ("Git commit", "4f1c2d9aa"),
        ("Datasets", "transactions@ab12 (training), labels"),
        ("Metrics", "auc = 0.93, loss = NaN"),
        ("Inputs", "amount double"),
        ("Outputs", "float32 [-1, 3]"),
        ("Not shown", "480 more metrics, 3 more inputs"),
        ("Unavailable", "a; b"),
    )
    assert described(None) == ()


@pytest.mark.parametrize(
    "stored", ["", "{", "[]", "{}", "7", "[" * 60_000, json.dumps({"a": "b" * (64 << 10)})]
)
def test_damaged_training_run_is_left_out(stored: str) -> None:
    assert training_run({"metadata": {"annotations": {ANNOTATION: stored}}}) is None


def test_training_run_of_another_shape_is_described_without_an_error() -> None:
    wild = {
        "runId": 7,
        "metrics": [1],
        "datasets": [1, {"digest": None}],
        "signature": {"inputs": [None, {"name": []}], "omitted": 7},
        "unavailable": {"a": 1},
    }
    assert dict(described(wild)).keys() <= {"Datasets", "Inputs"}
