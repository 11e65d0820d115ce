"""Damage by manual edits is reported and ignored, and serving continues."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from canarium.api.status import Failure, Progress, RevisionStatus, Status
from canarium.core.facts.object_ref import ObjectRef
from core.api_answers import denied
from core.cluster import Cluster, gateway_spec, recorded, spec

rule = pytest.mark.rule


def live() -> Cluster:
    return Cluster(spec("1")).run(10)


@rule("R1", "R18")
def test_deleted_record_of_stable_is_stored_again_and_no_pod_is_deleted() -> None:
    cluster = live()
    pods = {p.name for p in cluster.pods}
    cluster.records.clear()
    cluster.run(20)
    assert {p.name for p in cluster.pods} == pods
    assert [r.version for r in cluster.records] == ["1"]
    assert cluster.status.phase == "Ready"


@rule("R1", "R18")
def test_rollout_continues_while_the_record_of_stable_cannot_be_stored_again() -> None:
    cluster = live()
    stable = cluster.revision("1")
    cluster.spec = spec("2")
    cluster.run(8)
    cluster.records = [r for r in cluster.records if r.revision != stable]
    cluster.rejection = denied(ObjectRef("ControllerRevision", f"m-{stable}"))
    cluster.run(1)
    assert f"ControllerRevision/m-{stable} was deleted" in cluster.status.warnings[0].message
    assert "cannot be recreated" in cluster.status.warnings[0].message
    assert [e.message for e in cluster.events if e.reason == "StatusIgnored"] == [
        cluster.status.warnings[0].message
    ]
    cluster.rejection = None
    cluster.run(90)
    assert cluster.serving() == {"2": 3}
    assert not cluster.status.warnings


@rule("R1")
def test_altered_record_is_ignored() -> None:
    cluster = live()
    cluster.records = [replace(r, intact=False) for r in cluster.records]
    cluster.run(60)
    assert "was modified by hand and is ignored" in cluster.status.warnings[0].message
    assert cluster.serving() == {"1": 3}


@rule("R1", "R13")
def test_no_deployment_is_created_from_an_altered_record() -> None:
    cluster = live()
    stable = cluster.revision("1")
    cluster.records = [replace(r, intact=False) for r in cluster.records]
    cluster.deployments.clear()
    cluster.run(1)
    assert (
        "was modified by hand and is ignored: no Deployment is created from it"
        in cluster.status.warnings[0].message
    )
    cluster.run(60)
    assert stable not in cluster.deployments
    assert cluster.serving() == {"1": 3}, "the spec was rendered again"
    assert {p.revision for p in cluster.pods} == {cluster.revision("1")} != {stable}


@rule("R12", "R18")
@pytest.mark.parametrize("weight", [50, 100])
def test_progress_that_the_service_does_not_record_is_ignored(weight: int) -> None:
    cluster = live()
    cluster.boot = 30
    cluster.spec = spec("2")
    cluster.run(3)
    assert cluster.status.progress is not None
    forged = cluster.status.progress.model_copy(update={"weight": weight, "step": 2})
    cluster.status = cluster.status.model_copy(update={"progress": forged})
    cluster.run(30)
    assert cluster.serving() == {"1": 3, "2": 1}, "the first step is not skipped"
    assert any("Ignored status.progress" in e.message for e in cluster.events)


@rule("R8", "R18")
def test_outdated_status_after_a_rollback_is_not_a_manual_edit() -> None:
    cluster = live()
    cluster.spec = spec("2")
    cluster.run(8)
    status = cluster.status
    assert status.progress is not None
    assert status.progress.weight > 0
    cluster.crash("2").settle()
    assert cluster.status.candidate is None
    cluster.status = status  # As after a crash between the two writes, or a conflict in the second.
    cluster.run(10)
    assert cluster.status.phase == "RolledBack"
    assert not [e for e in cluster.events if e.reason == "StatusIgnored"]


@rule("R18")
@pytest.mark.parametrize(
    "forged",
    [
        {"stable": RevisionStatus(revision="nonsense")},
        {"candidate": RevisionStatus(revision="nonsense"), "progress": Progress(weight=50)},
        {
            "previous": RevisionStatus(revision="nonsense"),
            "bake_start_time": "1970-01-01T00:00:00Z",
        },
        {"failure": Failure(revision="x", reason="y", message="z", time="2001-01-01T00:00:00Z")},
    ],
    ids=lambda f: next(iter(f)),
)
def test_manual_edit_of_the_status_moves_no_traffic(forged: dict[str, object]) -> None:
    cluster = live()
    cluster.status = cluster.status.model_copy(update=forged)
    events = len(cluster.events)
    cluster.run(30)
    messages = {
        f"Ignored status.{name}: revision nonsense does not exist"
        for name in ("stable", "candidate", "previous")
        if isinstance(forged.get(name), RevisionStatus)
    }
    assert {e.message for e in cluster.events[events:] if e.reason == "StatusIgnored"} == messages
    assert all(share == {"1": 3} for at, share in cluster.shares if at > 1_010)
    assert cluster.status.phase == "Ready"
    assert cluster.status.stable is not None
    assert cluster.version(cluster.status.stable.revision) == "1"


NEVER, LAST, LATER = "2024-99-99T99:99:99Z", "9999-12-31T23:59:59Z", "2999-01-01T00:00:00Z"


@rule("R18", "R21")
@pytest.mark.parametrize("time", [NEVER, LAST, LATER])
@pytest.mark.parametrize(
    ("seconds", "field"),
    [
        (1, "progress.waitStartTime"),
        (8, "progress.stepStartTime"),
        (8, "waitingFor.startTime"),
        (8, "pause.startTime"),
        (30, "bakeStartTime"),
        (30, "stableUnavailableStartTime"),
        (30, "analysis.startTime"),
        (30, "route.acceptedTime"),
    ],
)
def test_implausible_time_is_reported_and_stalls_nothing(
    seconds: float, field: str, time: str
) -> None:
    cluster = live()
    cluster.spec = spec("2")
    cluster.run(seconds)
    before = cluster.status.phase
    forged = cluster.status.model_dump(by_alias=True, exclude_none=True)
    *part, name = field.split(".")
    if part:
        forged[part[0]] = {**PARTS.get(part[0], {}), **forged.get(part[0], {}), name: time}
    else:
        forged[name] = time
    cluster.status = Status.model_validate(forged)
    cluster.run(1)
    assert cluster.status.phase == before
    why = "is not a valid timestamp" if time == NEVER else "is in the future"
    assert [e.message for e in cluster.events if e.reason == "StatusIgnored"] == [
        f"Ignored status.{field}: {time} {why}"
    ]
    cluster.run(60)
    assert cluster.serving() == {"2": 3}
    assert cluster.status.phase == "Ready"
    assert not cluster.status.warnings


#: What a forged time is in where the status has no such part.
PARTS: dict[str, dict[str, object]] = {
    "pause": {"source": "Command", "revision": "old"},
    "analysis": {"revision": "old"},
    "route": {"group": "gateway.networking.k8s.io", "kind": "HTTPRoute"},
}


@rule("R18")
def test_clock_skew_of_seconds_is_not_a_manual_edit() -> None:
    cluster = live()
    cluster.spec = spec("2")
    cluster.run(8).now -= 5
    cluster.run(90)
    assert cluster.serving() == {"2": 3}
    assert not [e for e in cluster.events if e.reason == "StatusIgnored"]


@rule("R15", "R18")
def test_promotion_time_in_the_future_counts_from_now() -> None:
    cluster = live()
    cluster.spec = spec("2", rollout={"bakeTime": "40s"})
    cluster.run(10)
    assert cluster.service is not None
    cluster.service = recorded(cluster.service, promoted_at=LAST)
    cluster.status = Status()
    cluster.run(30)
    assert cluster.status.phase == "Baking"
    cluster.run(30)
    assert cluster.status.phase == "Ready"


@rule("R18")
def test_pause_that_ends_after_the_last_date_is_a_long_pause() -> None:
    steps = {"steps": [{"weight": 25, "pause": "99999999h"}], "bakeTime": "99999999h"}
    cluster = Cluster(spec("1", rollout=steps)).run(10)
    cluster.spec = spec("2", rollout=steps)
    cluster.run(20)
    assert cluster.serving() == {"1": 3, "2": 1}
    assert "until 9999-12-31T23:59:59Z" in cluster.status.message
    cluster.annotations["promote"] = f"{cluster.revision('2')}/t"
    cluster.run(20)
    assert cluster.status.phase == "Baking"


@rule("R18")
def test_stable_that_the_service_does_not_record_is_ignored_and_reported() -> None:
    cluster = live()
    cluster.spec = spec("2")
    cluster.run(60)
    cluster.spec = spec("3")
    cluster.run(60)
    assert cluster.serving() == {"3": 3}
    forged = RevisionStatus(revision=cluster.revision("1"))
    cluster.status = cluster.status.model_copy(update={"stable": forged})
    cluster.run(10)
    ignored = f"live traffic is routed to revision {cluster.revision('3')}"
    assert [ignored in e.message for e in cluster.events if e.reason == "StatusIgnored"] == [True]
    assert cluster.serving() == {"3": 3}
    assert not cluster.status.warnings


@rule("R15", "R18")
@pytest.mark.parametrize("undone", [False, True])
def test_traffic_that_moved_before_its_status_was_written_is_not_a_manual_edit(
    undone: bool,
) -> None:
    """The promotion's or the undo's write took effect, and the operator died before its status."""
    cluster = live()
    cluster.spec = spec("2", rollout={"bakeTime": "40s"})
    before = cluster.status
    for _ in range(40):
        before = cluster.status
        moved = cluster.run(0.5).status.phase == "Baking"
        if moved:
            break
    assert moved
    if undone:
        before = cluster.status
        cluster.die_at = cluster.writes + 1
        cluster.crash("2").reconcile()
    cluster.status = before
    cluster.run(60)
    assert cluster.serving() == ({"1": 3} if undone else {"2": 3})
    assert not [e for e in cluster.events if e.reason == "StatusIgnored"]


@rule("R0", "R18")
def test_traffic_stays_when_status_and_annotations_of_the_service_are_lost() -> None:
    cluster = live()
    assert cluster.service is not None
    cluster.service = recorded(cluster.service, stable=None, candidate=None, promoted_at=None)
    cluster.status = Status()
    cluster.records = [replace(r, verdict=None, after=None) for r in cluster.records]
    cluster.spec = spec("2")
    cluster.run(8)
    assert cluster.serving() == {"1": 3, "2": 1}


@rule("R15", "R18")
def test_bake_continues_after_a_lost_status() -> None:
    cluster = live()
    cluster.spec = spec("2", rollout={"bakeTime": "40s"})
    cluster.run(10)
    assert cluster.status.phase == "Baking"
    cluster.status = Status()
    cluster.run(20)
    assert cluster.status.phase == "Baking"
    cluster.crash("2").run(5)
    assert cluster.serving() == {"1": 3}
    assert cluster.status.phase == "RolledBack"


@rule("R22", "R23")
@pytest.mark.parametrize("scaling", [{"replicas": 3}, {"minReplicas": 1, "maxReplicas": 3}])
def test_stable_deleted_by_hand_under_recreate_does_not_block_the_target(
    scaling: dict[str, int],
) -> None:
    extra = {"rollout": {"strategy": "Recreate"}, "scaling": scaling}
    cluster = Cluster(spec("1", **extra)).run(10)
    cluster.spec = spec("2", **extra)
    cluster.run(20)
    cluster.deployments.clear()
    cluster.spec = spec("1", **extra)
    cluster.run(60)
    assert set(cluster.serving()) == {"1"}
    assert cluster.status.phase == "Ready"


@rule("R21", "R23")
def test_serving_version_is_not_invalid_while_its_deployment_cannot_be_recreated() -> None:
    cluster = live()
    cluster.deployments.clear()
    cluster.rejection = denied(ObjectRef("Deployment", f"m-{cluster.revision('1')}"))
    decision = cluster.reconcile()
    assert decision.phase == "Ready"
    assert cluster.rejection.message in decision.status.message


@rule("R22", "R23")
@pytest.mark.parametrize("make", [spec, gateway_spec])
def test_recreate_continues_when_everything_of_stable_is_deleted(make: Any) -> None:
    extra = {"rollout": {"strategy": "Recreate"}}
    cluster = Cluster(make("1", **extra)).run(30)
    cluster.deployments.clear()
    cluster.pods.clear()
    cluster.backends.clear()
    cluster.service = cluster.route = None
    cluster.spec = make("2", **extra)
    cluster.run(90)
    assert cluster.status.phase == "Ready"
    assert cluster.status.version == "2"


@rule("R23")
def test_stable_is_recreated_although_the_selector_was_edited_to_the_other_color() -> None:
    """Its Deployment was deleted while a candidate had pods, and the spec returned to it."""
    cluster = live()
    cluster.spec = spec("2", rollout={"steps": [{"weight": 50, "pause": "Manual"}]})
    cluster.run(15)
    first = cluster.revision("1")
    del cluster.deployments[first]
    cluster.pods = [x for x in cluster.pods if x.revision != first]
    assert cluster.service is not None
    cluster.service = replace(cluster.service, color="green")
    cluster.spec = spec("1")
    cluster.run(90)
    assert cluster.serving() == {"1": 3}
    assert cluster.status.phase == "Ready"


@rule("R18", "R23")
def test_only_version_of_which_just_its_pods_are_left_is_adopted_again() -> None:
    """No status, no note on the Service, and a Deployment that is not seen."""
    cluster = live()
    assert cluster.service is not None
    cluster.service = recorded(cluster.service, stable=None, promoted_at=None)
    cluster.status = Status()
    cluster.deployments.clear()
    cluster.run(60)
    assert cluster.status.phase == "Ready"
    assert cluster.serving()["1"] >= 3


@rule("R9", "R18")
def test_quarantine_that_only_the_service_records_survives_a_new_spec() -> None:
    cluster = live()
    cluster.spec = spec("2")
    cluster.run(8)
    cluster.die_at = cluster.writes + 1
    cluster.crash("2").reconcile()
    cluster.spec = spec("3")
    cluster.run(30)
    cluster.heal("2")
    cluster.spec = spec("2")
    cluster.run(40)
    assert "2" not in cluster.serving()
    assert cluster.status.phase == "RolledBack"
