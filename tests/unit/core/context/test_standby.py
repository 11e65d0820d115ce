"""A candidate serves while stable has no ready pod, in every strategy (R13)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from canarium.core.decision.plan import Action, SetRouteWeights
from canarium.core.facts.object_ref import ObjectRef
from core.api_answers import denied
from core.cluster import Cluster, gateway_spec, spec
from core.routing.failover_scenarios import BOTH, MANUAL, answering, delete_pods, rollout, unready

rule = pytest.mark.rule


@BOTH
@rule("R13", "R29")
def test_candidate_past_its_smoke_tests_serves_at_once_and_returns_the_traffic(make: Any) -> None:
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


class Rejecting(Cluster):
    """A policy may reject the writes that move traffic behind a Gateway."""

    rejects = False

    def reject(self, rejects: bool) -> None:
        self.rejects = rejects
        answer = denied(ObjectRef("HTTPRoute", "m"))
        self.rejection = answer if rejects else None

    def _carry_out(self, action: Action) -> None:
        if self.rejects and isinstance(action, SetRouteWeights):
            self.writes -= 1
            return
        super()._carry_out(action)


@rule("R0", "R9", "R13")
def test_failed_candidate_serves_all_traffic_while_stable_is_down() -> None:
    asked = {**MANUAL, "steps": [{"weight": 25, "pause": "Manual"}]}
    cluster = Rejecting(rollout(gateway_spec, "1", asked)).run(12)
    cluster.spec = rollout(gateway_spec, "2", asked)
    cluster.run(12)
    assert cluster.weights() == {"1": 75, "2": 25}
    cluster.reject(True)
    cluster.annotations = {"abort": f"{cluster.revision('2')}/now"}
    cluster.run(3)
    unready(cluster, "1").run(3)
    assert cluster.weights() == {"1": 75, "2": 25}
    cluster.reject(False)
    cluster.run(1)
    assert cluster.weights() == {"1": 0, "2": 100}, "three of four callers would get errors"
    assert "keeps its traffic until version 1 (vvsrm9rh) has a ready pod" in (
        cluster.status.message
    )
    assert "receives 100% of the traffic" in cluster.status.message
    assert cluster.status.phase == "RollingBack"
    assert cluster.route is not None
    assert cluster.route.traffic.quarantined == cluster.revision("2")
    cluster.heal("1").run(1)
    assert cluster.weights() == {"1": 100, "2": 0}
    cluster.run(5)
    assert cluster.status.phase == "RolledBack"


@rule("R12", "R15")
def test_clock_that_is_behind_gives_a_candidate_no_more_than_its_weight() -> None:
    """Another client raised its weight, and by this clock stable has just become ready."""
    cluster = Cluster(rollout(gateway_spec, "1", MANUAL)).run(12)
    cluster.spec = rollout(gateway_spec, "2", MANUAL)
    cluster.run(10)
    granted = cluster.weights()
    assert cluster.route is not None
    swapped = tuple((name, 100 - weight) for name, weight in cluster.route.weights)
    cluster.route = replace(cluster.route, weights=swapped)
    cluster.now -= 300
    cluster.run(1)
    assert cluster.weights() == granted
