"""Who answers while stable has no ready pod, in every phase and by either router (R13, R15)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from canarium.api.status import Status
from canarium.core.decision.plan import Action, SetRouteWeights
from canarium.core.facts.observed import Container, Rejection
from core.cluster import Cluster, gateway_spec, spec

rule = pytest.mark.rule
BOTH = pytest.mark.parametrize("make", [spec, gateway_spec])
LONG = {"steps": [], "bakeTime": "200s", "progressDeadline": "60s", "scaleDownDelay": "1s"}
MANUAL = {"steps": [{"weight": 10, "pause": "Manual"}], "bakeTime": "20s", "scaleDownDelay": "1s"}


def rollout(make: Any, version: str, asked: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**make(version), "rollout": asked, **more}


def baking(make: Any, **more: Any) -> Cluster:
    """Version 2 was promoted a moment ago; version 1 is warm."""
    cluster = Cluster(rollout(make, "1", LONG, **more)).run(12)
    cluster.spec = rollout(make, "2", LONG, **more)
    cluster.run(12)
    assert cluster.status.phase == "Baking", cluster.status.message
    assert answering(cluster) == {"2"}
    return cluster


def answering(cluster: Cluster) -> set[str]:
    """Versions whose ready pods callers are led to, by the route and inside the cluster."""
    ready = {cluster.version(p.revision) for p in cluster.pods if p.serves}
    inside = set(cluster.serving())
    if cluster.route is None:
        return inside
    led = {version for version, weight in cluster.weights().items() if weight}
    assert bool(led & ready) == bool(inside), (led, inside)
    return led & ready


def unready(cluster: Cluster, version: str) -> Cluster:
    """The readiness of all pods of a version fails while their servers run."""
    runs = (Container("server", started=cluster.now - 5),)
    cluster.pods = [
        replace(p, ready=False, ready_changed=cluster.now, containers=runs)
        if cluster.version(p.revision) == version
        else p
        for p in cluster.pods
    ]
    return cluster


def delete_pods(cluster: Cluster, version: str) -> Cluster:
    """Somebody deletes all pods of a version; its Deployment makes new ones."""
    cluster.pods = [
        replace(
            p,
            terminating=True,
            ready=False,
            ready_changed=cluster.now,
            terminates_by=cluster.now + 1,
        )
        if cluster.version(p.revision) == version
        else p
        for p in cluster.pods
    ]
    cluster.dying |= {p.name: cluster.now + 1 for p in cluster.pods if p.terminating}
    return cluster


def moves(cluster: Cluster) -> list[str]:
    return [e.reason for e in cluster.events if e.reason in ("StandbyServing", "StableRecovered")]


@BOTH
@rule("R13", "R15", "R29")
def test_warm_version_serves_while_all_pods_of_the_new_stable_load(make: Any) -> None:  # B2
    cluster = baking(make)
    cluster.boot = 40.0
    delete_pods(cluster, "2").run(0.5)
    for _ in range(38):
        assert answering(cluster) == {"1"}, cluster.status.message
        cluster.run(1)
    assert cluster.status.version == "2", "nobody becomes stable by answering"
    gets = f"Version 1 ({cluster.revision('1')}) receives 100% of the traffic because version 2"
    assert gets in cluster.status.message
    assert cluster.status.standby == cluster.revision("1")
    assert cluster.status.waiting_for is not None
    assert cluster.status.waiting_for.reason == "StableUnavailable"
    assert cluster.status.waiting_for.expected_end_time is not None
    cluster.run(4)
    assert "2" in answering(cluster) or make is gateway_spec
    cluster.run(11)
    assert answering(cluster) == {"2"}
    assert cluster.status.phase == "Baking"
    assert cluster.status.standby is None
    assert moves(cluster) == ["StandbyServing", "StableRecovered"]


@BOTH
@rule("R13", "R15", "R23")
def test_warm_version_serves_while_the_deployment_of_the_new_stable_is_missing(  # B1
    make: Any,
) -> None:
    cluster = baking(make)
    del cluster.deployments[cluster.revision("2")]
    delete_pods(cluster, "2").run(0.5)
    for _ in range(20):
        assert answering(cluster)
        cluster.run(1)
    assert answering(cluster) == {"2"}
    assert cluster.status.phase == "Baking"


@BOTH
@rule("R15")
def test_short_outage_during_the_bake_undoes_nothing(make: Any) -> None:  # I2 c
    cluster = baking(make)
    unready(cluster, "2").run(0.5)
    for _ in range(7):
        assert answering(cluster) == {"1"}
        cluster.run(1)
    cluster.heal("2").run(12)
    assert answering(cluster) == {"2"}
    assert cluster.status.phase == "Baking"
    assert cluster.status.outages == 1
    cluster.run(200)
    assert cluster.status.phase == "Ready"
    assert cluster.status.outages is None


@BOTH
@rule("R15")
def test_flapping_readiness_during_the_bake_loses_no_request_and_undoes_the_promotion(  # I2 b
    make: Any,
) -> None:
    cluster = baking(make)
    before = cluster.service
    for flap in range(3):
        unready(cluster, "2").run(0.5)
        selected = cluster.service
        for _ in range(13):
            assert answering(cluster)
            cluster.run(0.5)
        if flap < 2:
            cluster.heal("2").run(3)
            assert cluster.service is not None
            assert selected is not None
            assert cluster.service.color == selected.color, "no write per flap"
            assert answering(cluster)
    assert before is not None
    assert answering(cluster) == {"1"}
    assert cluster.status.phase in ("RollingBack", "RolledBack")
    assert cluster.status.failure is not None
    assert cluster.status.failure.reason == "RepeatedOutages"
    assert cluster.status.failure.pod


@BOTH
@rule("R15", "R25")
def test_outage_as_long_as_the_progress_deadline_undoes_the_promotion(make: Any) -> None:
    cluster = baking(make)
    cluster.boot = 1e9
    delete_pods(cluster, "2").run(59)
    assert cluster.status.phase == "Baking"
    assert answering(cluster) == {"1"}
    cluster.run(3)
    assert answering(cluster) == {"1"}
    assert cluster.status.version == "1"
    assert cluster.status.failure is not None
    assert cluster.status.failure.reason == "OutageDeadlineExceeded"


@BOTH
@rule("R15", "R25")
def test_repeatedly_deleted_pods_do_not_fail_the_version(make: Any) -> None:
    cluster = baking(make)
    for _ in range(5):
        delete_pods(cluster, "2").run(0.5)
        assert answering(cluster) == {"1"}
        cluster.run(14)
        assert answering(cluster) == {"2"}
    assert cluster.status.phase == "Baking"
    assert cluster.status.outages is None


@BOTH
@rule("R15", "R16")
def test_bake_does_not_end_while_the_warm_version_serves_for_stable(make: Any) -> None:
    short = {**LONG, "bakeTime": "20s", "progressDeadline": "600s"}
    for paused in (False, True):
        cluster = baking(make)
        cluster.boot = 1e9
        cluster.spec = {**rollout(make, "2", short), "paused": paused}
        delete_pods(cluster, "2").run(100)
        assert answering(cluster) == {"1"}
        assert cluster.status.phase == "Baking"
        cluster.boot = 2.0
        cluster.run(30)
        assert answering(cluster) == {"2"}
        assert cluster.status.phase == ("Baking" if paused else "Ready")


@BOTH
@rule("R15", "R18")
def test_lost_status_while_the_warm_version_serves_changes_nothing(make: Any) -> None:
    cluster = baking(make)
    cluster.boot = 30.0
    delete_pods(cluster, "2").run(3)
    cluster.status = Status()
    for _ in range(24):
        assert answering(cluster) == {"1"}
        cluster.run(1)
    cluster.run(20)
    assert answering(cluster) == {"2"}
    assert cluster.status.phase == "Baking"


@BOTH
@rule("R10", "R13", "R15")
def test_newer_spec_during_the_bake_keeps_the_warm_version_of_a_stable_that_is_down(
    make: Any,
) -> None:
    cluster = baking(make)
    cluster.boot = 1e9
    delete_pods(cluster, "2").run(2)
    cluster.spec = rollout(make, "3", LONG)
    cluster.run(20)
    assert answering(cluster) == {"1"}
    assert cluster.status.waiting_for is not None
    assert cluster.status.waiting_for.reason == "StableUnavailable"
    cluster.boot = 2.0
    for _ in range(90):
        assert answering(cluster)
        cluster.run(1)
    assert answering(cluster) == {"3"}


@BOTH
@rule("R13", "R29")
def test_candidate_past_its_gate_serves_at_once_and_returns_the_traffic(make: Any) -> None:
    """Its weight is none yet: it waits for more pods than it has."""
    asked = {**MANUAL, "steps": [{"weight": 50, "pause": "Manual"}]}
    cluster = Cluster(rollout(make, "1", asked)).run(12)
    cluster.spec = rollout(make, "2", asked)
    cluster.run(1)
    cluster.boot = 1e9
    second = cluster.revision("2")
    first = next(p for p in cluster.pods if p.revision == second)
    cluster.pods = [
        replace(p, ready=True, ready_changed=cluster.now) if p is first else p for p in cluster.pods
    ]
    cluster.run(1)
    assert answering(cluster) == {"1"}
    unready(cluster, "1").run(1)
    assert answering(cluster) == {"2"}
    assert cluster.status.weight == 0, "neither a weight nor a promotion"
    gets = f"Version 2 ({cluster.revision('2')}) receives 100% of the traffic because version 1"
    assert gets in cluster.status.message
    assert "receives no traffic" not in cluster.status.message
    cluster.heal("1").run(12)
    assert answering(cluster) == {"1"}
    assert cluster.status.weight == 0


@rule("R13", "R16")
def test_pause_does_not_turn_a_standby_into_a_step() -> None:  # I7
    cluster = Cluster({**rollout(spec, "1", MANUAL), "paused": True}).run(12)
    cluster.crash("1").run(2)
    cluster.spec = {**rollout(spec, "2", {**MANUAL, "steps": []}), "paused": True}
    cluster.run(60)
    assert answering(cluster) == {"2"}
    assert cluster.status.phase == "Progressing", "answering does not promote"
    assert cluster.status.version == "1"
    assert cluster.status.weight == 0
    assert "paused by spec.paused" in cluster.status.message
    assert cluster.status.stable_unavailable_start_time is not None
    cluster.spec = rollout(spec, "2", {**MANUAL, "steps": []})
    cluster.run(5)
    assert cluster.status.version == "2"


@BOTH
@rule("R13", "R16")
def test_pause_does_not_block_the_fix_of_a_stable_without_pods(make: Any) -> None:  # I7
    cluster = Cluster({**rollout(make, "1", MANUAL), "paused": True}).run(12)
    cluster.crash("1").run(12)
    cluster.spec = {**rollout(make, "2", MANUAL), "paused": True}
    cluster.run(8)
    assert answering(cluster) == {"2"}
    assert cluster.status.version == "1"


@rule("R10", "R13")
def test_stuck_pod_does_not_block_the_fix_of_an_outage() -> None:  # I6
    cluster = Cluster(rollout(spec, "1", {"bakeTime": "2s"})).run(12)
    cluster.spec = rollout(spec, "2", {"bakeTime": "2s"})
    cluster.run(4)
    cluster.grace = 1e9
    cluster.run(10)
    assert cluster.status.phase == "Ready"
    cluster.crash("2").run(2)
    cluster.spec = rollout(spec, "3", {"bakeTime": "2s"})
    cluster.run(20)
    assert answering(cluster) == {"3"}


@rule("R22")
def test_recreate_starts_no_pod_of_stable_before_the_failed_ones_are_deleted() -> None:  # E4
    recreate = {"strategy": "Recreate"}
    cluster = Cluster(rollout(spec, "1", recreate)).run(10)
    cluster.grace = 5.0
    cluster.broken.add("2")
    cluster.spec = rollout(spec, "2", recreate)
    for _ in range(200):
        cluster.run(0.25)
        versions = {cluster.version(p.revision) for p in cluster.pods}
        assert versions != {"1", "2"}, cluster.status.message
    assert answering(cluster) == {"1"}
    assert cluster.status.phase == "RolledBack"


@BOTH
@rule("R8", "R22")
def test_aborted_recreate_restores_stable(make: Any) -> None:
    recreate = {"strategy": "Recreate", "scaleDownDelay": "1s"}
    cluster = Cluster(rollout(make, "1", recreate)).run(10)
    cluster.spec = rollout(make, "2", recreate)
    while not answering(cluster) or "2" not in answering(cluster):
        cluster.run(0.25)
        first = [p for p in cluster.pods if cluster.version(p.revision) == "2"][:1]
        cluster.boot = 1e9
        cluster.pods = [
            replace(p, ready=True, ready_changed=cluster.now) if p in first else p
            for p in cluster.pods
        ]
        assert cluster.now < 1_100
    assert cluster.status.version == "1", "it answers, and is not promoted"
    cluster.boot = 2.0
    cluster.annotations["abort"] = f"{cluster.revision('2')}/now"
    cluster.run(15)
    assert answering(cluster) == {"1"}


@rule("R13", "R29")
def test_candidate_that_lost_all_its_pods_is_reported() -> None:  # B3
    cluster = Cluster(rollout(spec, "1", MANUAL)).run(12)
    cluster.spec = rollout(spec, "2", MANUAL)
    cluster.run(8)
    assert cluster.status.weight == 10
    cluster.boot = 30.0
    delete_pods(cluster, "2").run(3)
    assert "has no ready pods because its pods were deleted" in cluster.status.message
    assert answering(cluster) == {"1"}


# C2
@rule("R6", "R13", "R29")
@BOTH
def test_candidate_that_serves_all_traffic_is_reported_as_that(make: Any) -> None:
    cluster = Cluster(rollout(make, "1", MANUAL)).run(12)
    cluster.spec = rollout(make, "2", MANUAL)
    cluster.run(20)
    assert "has weight 10 and waits for a manual promotion" in cluster.status.message
    unready(cluster, "1").run(2)
    status = cluster.status
    assert status.candidate is not None
    assert (status.candidate.weight, status.candidate.effective_weight) == (10, 100)
    assert "has weight" not in status.message
    assert "is at weight 10 and waits for a manual promotion" in status.message
    assert "receives 100% of the traffic because version 1" in status.message
    cluster.heal("1").run(25)
    assert "has weight 10 and waits for a manual promotion" in cluster.status.message


class Refusing(Cluster):
    """A policy may refuse the writes that move traffic behind a Gateway."""

    refuses = False

    def refuse(self, refuses: bool) -> None:
        self.refuses = refuses
        denied = Rejection("HTTPRoute m", "denied by policy", reason="AdmissionDenied")
        self.rejection = denied if refuses else None

    def _carry_out(self, action: Action) -> None:
        if self.refuses and isinstance(action, SetRouteWeights):
            self.writes -= 1
            return
        super()._carry_out(action)


@rule("R0", "R9", "R13")
def test_failed_candidate_serves_all_traffic_while_stable_is_down() -> None:
    asked = {**MANUAL, "steps": [{"weight": 25, "pause": "Manual"}]}
    cluster = Refusing(rollout(gateway_spec, "1", asked)).run(12)
    cluster.spec = rollout(gateway_spec, "2", asked)
    cluster.run(12)
    assert cluster.weights() == {"1": 75, "2": 25}
    cluster.refuse(True)
    cluster.annotations = {"abort": f"{cluster.revision('2')}/now"}
    cluster.run(3)
    unready(cluster, "1").run(3)
    assert cluster.weights() == {"1": 75, "2": 25}
    cluster.refuse(False)
    cluster.run(1)
    assert cluster.weights() == {"1": 0, "2": 100}, "three of four callers would get errors"
    assert "receives 100% of the traffic because version 1" in cluster.status.message
    assert cluster.status.phase == "RollingBack"
    assert cluster.route is not None
    assert cluster.route.traffic.quarantined == cluster.revision("2")
    cluster.heal("1").run(1)
    assert cluster.weights() == {"1": 100, "2": 0}
    cluster.run(5)
    assert cluster.status.phase == "RolledBack"
