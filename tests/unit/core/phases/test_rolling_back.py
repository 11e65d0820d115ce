"""The guards that hold when two things go wrong at once (R0, R8, R9, R18)."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from canarium.api.status import Status
from canarium.core.decision.plan import DeleteDeployment, SelectColor
from canarium.core.evidence.verdict import Evidence, Finding, Verdict
from canarium.core.facts.observed import Observed, Service
from canarium.core.facts.pods import Container, Pod
from canarium.core.facts.weights import safe_to_select
from core.api_answers import invalid_pod
from core.cluster import Cluster, recorded, spec

rule = pytest.mark.rule
QUICK = {"steps": [], "bakeTime": "60s"}


def rolling(**rollout: object) -> Cluster:
    """Version 1 promoted, version 2 with a weight of 25, or baking without steps."""
    extra = {"rollout": rollout} if rollout else {}
    cluster = Cluster(spec("1", **extra)).run(10)
    cluster.spec = spec("2", **extra)
    return cluster.run(8)


def down(cluster: Cluster, version: str, spared: int = 0) -> Cluster:
    """The pods of a version are unready now, but for as many as are spared."""
    revision = cluster.revision(version)
    waiting = (Container("server", waiting="CrashLoopBackOff", last_terminated="Error"),)
    struck = [p.name for p in cluster.pods if p.revision == revision][spared:]
    cluster.pods = [
        replace(p, ready=False, ready_changed=cluster.now, containers=waiting)
        if p.name in struck
        else p
        for p in cluster.pods
    ]
    return cluster


@rule("R0", "R8", "R10")
def test_newer_spec_moves_no_traffic_to_a_stable_without_ready_pods() -> None:
    cluster = down(rolling(), "1")
    cluster.spec = spec("3")
    cluster.run(5)
    assert cluster.serving() == {"2": 1}
    cluster.heal("1").run(90)
    assert cluster.serving() == {"3": 3}


@rule("R0", "R8", "R9", "R16")
def test_abort_waits_for_a_ready_pod_of_stable_and_is_not_forgotten() -> None:
    cluster = down(rolling(), "1")
    cluster.annotations["abort"] = f"{cluster.revision('2')}/now"
    cluster.run(5)
    assert cluster.serving() == {"2": 1}
    assert cluster.status.waiting_for is not None
    assert cluster.status.waiting_for.reason == "RollbackBlocked"
    cluster.heal("1").run(90)
    assert cluster.serving() == {"1": 3}
    assert cluster.status.phase == "RolledBack"
    assert cluster.status.failure is not None
    assert cluster.status.failure.reason == "Aborted"
    assert [o.by for o in cluster.status.history[:-1]] == ["command abort/now"]


@rule("R0", "R8")
def test_rollback_waits_for_a_ready_pod_of_stable_and_is_reported() -> None:
    cluster = rolling(steps=[{"weight": 50, "pause": "60s"}])
    down(down(cluster, "1"), "2", spared=1).run(3)
    assert cluster.serving() == {"2": 1}
    assert "keeps its traffic" in cluster.status.message
    assert cluster.status.waiting_for is not None
    assert cluster.status.waiting_for.reason == "RollbackBlocked"
    cluster.heal("1").run(3)
    assert cluster.serving() == {"1": 3}


@rule("R0", "R7", "R9", "R18")
@pytest.mark.parametrize("lost", [False, True])
def test_waiting_rollback_is_not_forgotten_when_its_cause_is_over(lost: bool) -> None:
    """The pod that crashed was replaced by one that is well; or the status was lost besides."""
    cluster = rolling(steps=[{"weight": 50, "pause": "10s"}])
    down(down(cluster, "1"), "2", spared=1).run(1)
    cluster.heal("2").run(1)
    if lost:
        cluster.status = Status()
    cluster.run(60)
    assert cluster.serving() == {"2": 3}
    assert "keeps its traffic" in cluster.status.message
    cluster.heal("1").run(60)
    assert cluster.serving() == {"1": 3}
    assert cluster.status.phase == "RolledBack"
    assert cluster.status.failure is not None
    assert cluster.status.failure.reason == "CrashLoopBackOff"


@rule("R0", "R15")
def test_promotion_is_not_undone_to_a_version_without_ready_pods() -> None:
    cluster = rolling(**QUICK)
    assert cluster.status.phase == "Baking"
    down(down(cluster, "1"), "2", spared=2).run(5)
    assert cluster.serving() == {"2": 2}


@rule("R0", "R15")
@pytest.mark.parametrize("healed", ["1", "2"])
def test_bake_does_not_end_while_an_undo_waits_for_the_previous_version(healed: str) -> None:
    cluster = rolling(**QUICK)
    down(down(cluster, "1"), "2", spared=2).run(90)
    assert cluster.serving() == {"2": 2}
    assert cluster.status.phase == "Baking"
    assert cluster.status.waiting_for is not None
    assert cluster.status.waiting_for.reason == "UndoBlocked"
    assert "CrashLoopBackOff" in cluster.status.message
    ready = next(c for c in cluster.status.conditions if c.type == "Ready")
    assert (ready.status, ready.reason) == ("False", "CrashLoopBackOff")
    cluster.heal(healed).run(5)
    assert cluster.serving() == {healed: 3}
    assert cluster.status.phase == ("RolledBack" if healed == "1" else "Ready")


@rule("R15", "R17")
def test_promoted_version_is_not_ready_while_its_undo_waits() -> None:
    judging = {"analysis": {"checks": [{"name": "errors", "metric": "ErrorRate", "max": "1%"}]}}
    cluster = down(rolling(**QUICK, **judging), "1")
    revision = cluster.revision("2")
    found = Finding("errors", Verdict.FAIL, "AboveMaximum", "0.5 is above 0.01")
    cluster.evidence = Evidence(revision, cluster.now - 30, cluster.now, (found,), found)
    cluster.run(1)
    conditions = {c.type: (c.status, c.reason) for c in cluster.status.conditions}
    assert cluster.serving() == {"2": 3}
    assert conditions["Ready"] == ("False", "AnalysisFailed")
    assert conditions["Progressing"] == ("True", "UndoBlocked")


@rule("R0")
def test_terminating_pod_attracts_no_traffic_to_its_color() -> None:
    pods = (
        Pod("b", "one", "blue", 0.0, ready=True),
        Pod("g", "two", "green", 0.0, ready=True, terminating=True),
    )
    assert not safe_to_select("green", Observed(pods=pods, service=Service("s", "blue")))


@rule("R0", "R3")
def test_service_with_unknown_ready_pods_is_not_emptied_for_a_first_version() -> None:
    cluster = Cluster(spec("1")).run(10)
    cluster.records.clear()
    cluster.deployments.clear()
    cluster.status = Status()
    assert cluster.service is not None
    cluster.service = recorded(cluster.service, stable=None, promoted_at=None)
    decision = cluster.reconcile()
    assert not [a for a in decision.actions if isinstance(a, SelectColor)]


@rule("R8", "R21")
@pytest.mark.parametrize("then", ["2", "1", "3"])
def test_pods_are_kept_in_the_decision_that_removes_their_traffic(then: str) -> None:
    """A spec that cannot be carried out, one that returns to stable, and a newer one."""
    cluster = rolling()
    if then == "2":
        cluster.spec = spec("9")
        cluster.rejection = invalid_pod()
    else:
        cluster.spec = spec(then)
    decision = cluster.reconcile()
    assert [a.color for a in decision.actions if isinstance(a, SelectColor)] == ["blue"]
    assert not [a for a in decision.actions if isinstance(a, DeleteDeployment)]
    cluster.run(2)
    assert cluster.revision("2") not in cluster.deployments


@rule("R8")
@pytest.mark.parametrize("late", [True, False])
def test_pods_of_a_failed_version_are_kept_while_an_endpoint_refers_to_one(late: bool) -> None:
    cluster = rolling()
    cluster.crash("2").reconcile()
    revision = cluster.revision("2")
    assert cluster.service is not None
    assert cluster.service.color == "blue"
    if late:
        pod = next(p.name for p in cluster.pods if p.revision == revision)
        names = cluster.service.endpoints | {pod}
        cluster.service = replace(cluster.service, endpoints=names)
    deleted = [a for a in cluster.reconcile().actions if isinstance(a, DeleteDeployment)]
    assert bool(deleted) is not late


@rule("R9", "R18")
def test_verdict_and_its_evidence_are_stored_in_the_record() -> None:
    cluster = rolling().crash("2").run(10)
    record = next(r for r in cluster.records if r.version == "2")
    assert record.verdict == "Quarantined"
    failure = json.loads(record.failure or "{}")
    assert (failure["reason"], failure["observed"]) == ("ServerExited", "exit code 1")
    assert failure["pod"]
    assert failure["container"] == "server"
    # The record alone has the quarantine, and its cause.
    cluster.status = Status()
    assert cluster.service is not None
    cluster.service = recorded(cluster.service, quarantined=None)
    cluster.heal("2").run(60)
    assert cluster.serving() == {"1": 3}
    assert cluster.status.failure is not None
    assert cluster.status.failure.reason == "ServerExited"


@rule("R9")
@pytest.mark.parametrize("keeper", ["status", "service", "record"])
def test_quarantine_holds_while_any_one_place_records_the_failure(keeper: str) -> None:
    cluster = rolling().crash("2").run(10)
    assert cluster.service is not None
    quarantined = cluster.revision("2") if keeper == "service" else None
    cluster.service = recorded(cluster.service, quarantined=quarantined)
    if keeper != "record":
        cluster.records = [replace(r, verdict=None, failure=None) for r in cluster.records]
    if keeper != "status":
        cluster.status = Status()
    cluster.heal("2").run(60)
    assert cluster.serving() == {"1": 3}
    assert cluster.status.phase == "RolledBack"


@rule("R9")
def test_quarantined_revision_of_the_spec_is_not_pruned() -> None:
    extra = {"revisionHistoryLimit": 1}
    cluster = Cluster(spec("1", **extra)).run(10)
    for version in ("2", "3"):
        cluster.spec = spec(version, **extra)
        cluster.run(8).crash(version).run(20)
    cluster.spec = spec("2", **extra)
    cluster.heal("2").run(60)
    assert {r.version for r in cluster.records} == {"1", "2", "3"}
    assert cluster.status.phase == "RolledBack"


@rule("R9", "R23")
def test_service_restored_during_a_rollback_still_records_the_failure() -> None:
    cluster = rolling().crash("2")
    cluster.reconcile()
    assert cluster.service is not None
    cluster.service = replace(cluster.service, color="")
    decision = cluster.reconcile()
    quarantined = [a.traffic.quarantined for a in decision.actions if isinstance(a, SelectColor)]
    assert quarantined == [cluster.revision("2")]


@rule("R15", "R18")
def test_previous_version_stays_warm_when_the_operator_dies_right_after_the_promotion() -> None:
    cluster = Cluster(spec("1")).run(10)
    cluster.spec = spec("2", rollout=QUICK)
    for _ in range(20):
        cluster.run(0.5)
        if cluster.observed().ready(cluster.revision("2")) == 2:
            break
    cluster.run(0)
    cluster.status = Status()
    cluster.run(8)
    assert cluster.status.phase == "Baking"
    cluster.status = Status()
    cluster.run(20)
    assert cluster.status.phase == "Baking"
    assert cluster.observed().ready(cluster.revision("1")) == 3


@rule("R0", "R15")
def test_undo_waits_while_pods_of_the_previous_version_have_lost_their_color() -> None:
    cluster = Cluster(spec("1")).run(10)
    cluster.spec = spec("2")
    cluster.run(36)
    assert cluster.status.phase == "Baking", cluster.status.message
    before = cluster.revision("1")
    cluster.pods = [replace(x, color="") if x.revision == before else x for x in cluster.pods]
    first = next(x for x in cluster.pods if x.revision == cluster.revision("2"))
    exited = Container("server", terminated="Error", exit_code=1)
    cluster.pods = [
        replace(x, ready=False, containers=(exited,)) if x is first else x for x in cluster.pods
    ]
    cluster.settle()
    assert cluster.serving() == {"2": 2}
    assert cluster.status.waiting_for is not None
    assert cluster.status.waiting_for.reason == "UndoBlocked"


@pytest.mark.parametrize(
    ("rollout", "weight", "step"), [({}, 25, "1/3"), (QUICK, 100, None)], ids=["step", "bake"]
)
def test_failure_has_the_weight_and_the_step_at_which_it_happened(
    rollout: dict[str, object], weight: int, step: str | None
) -> None:
    cluster = down(rolling(**rollout), "2").run(5)
    assert cluster.status.failure is not None
    assert (cluster.status.failure.weight, cluster.status.failure.step) == (weight, step)
    # Also once the traffic is back on stable.
    cluster.run(60)
    assert cluster.status.phase == "RolledBack"
    assert (cluster.status.failure.weight, cluster.status.failure.step) == (weight, step)
