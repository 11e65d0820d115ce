"""Who answers while stable has no ready pod, in every phase and by either router (R13, R15)."""

from __future__ import annotations

from typing import Any

import pytest

from canarium.api.status import Status
from core.cluster import Cluster, gateway_spec
from core.routing.failover_scenarios import BOTH, answering, delete_pods, moves, rollout, unready

rule = pytest.mark.rule
LONG = {"steps": [], "bakeTime": "200s", "progressDeadline": "60s", "scaleDownDelay": "1s"}


def baking(make: Any, **more: Any) -> Cluster:
    """Version 2 was promoted a moment ago; version 1 is warm."""
    cluster = Cluster(rollout(make, "1", LONG, **more)).run(12)
    cluster.spec = rollout(make, "2", LONG, **more)
    cluster.run(12)
    assert cluster.status.phase == "Baking", cluster.status.message
    assert answering(cluster) == {"2"}
    return cluster


@BOTH
@rule("R13", "R15", "R29")
def test_warm_version_serves_while_all_pods_of_the_new_stable_load(make: Any) -> None:  # B2
    cluster = baking(make)
    cluster.boot = 40.0
    delete_pods(cluster, "2").run(0.5)
    for _ in range(38):
        assert answering(cluster) == {"1"}, cluster.status.message
        cluster.run(1)
    assert cluster.status.version == "2", "no version becomes stable by serving"
    assert f"Version 2 ({cluster.revision('2')}) has no ready pods" in cluster.status.message
    gets = f"Meanwhile version 1 ({cluster.revision('1')}) receives 100% of the traffic"
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
