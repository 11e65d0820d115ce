"""The life of a model, decided in virtual time."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from canarium.core.facts.object_ref import ObjectRef
from canarium.core.facts.observed import ResolvedRuntime
from canarium.core.facts.pods import Container
from core.api_answers import over_quota
from core.cluster import Cluster, gateway_spec, spec
from core.rollout_scenarios import condition, live

rule = pytest.mark.rule


@rule("R5", "R6", "R14")
def test_canary_follows_its_steps_and_is_promoted_in_place() -> None:
    cluster = live()
    cluster.spec = spec("2")
    cluster.run(8)
    assert cluster.serving() == {"1": 3, "2": 1}
    assert cluster.status.candidate is not None
    assert (cluster.status.candidate.weight, cluster.status.candidate.effective_weight) == (25, 25)
    cluster.run(10)
    assert cluster.serving() == {"1": 3, "2": 3}
    canary_pods = {x.name for x in cluster.pods if cluster.version(x.revision) == "2"}
    cluster.run(12)
    assert cluster.serving() == {"2": 3}
    assert canary_pods == set(cluster.service.endpoints)  # type: ignore[union-attr]
    assert cluster.status.phase == "Baking"
    cluster.run(25)
    assert cluster.status.phase == "Ready"
    assert len(cluster.deployments) == 1


@rule("R4", "R7", "R9")
def test_candidate_that_never_loads_gets_no_request_and_is_quarantined() -> None:
    cluster = live()
    cluster.broken.add("2")
    cluster.spec = spec("2")
    cluster.run(20)
    assert all("2" not in share for _, share in cluster.shares)
    assert cluster.status.phase == "RolledBack"
    assert cluster.serving() == {"1": 3}
    assert condition(cluster, "Ready") == "False"
    assert condition(cluster, "Available") == "True"
    writes = cluster.writes
    cluster.run(600, tick=5)
    assert cluster.writes == writes, "the quarantine holds: nothing is tried again"


@rule("R8", "R9")
@pytest.mark.parametrize("moment", [8, 18], ids=["at 25", "at 50"])
def test_candidate_that_crashes_under_traffic_is_rolled_back_at_once(moment: int) -> None:
    cluster = live()
    cluster.spec = spec("2")
    cluster.run(moment)
    assert "2" in cluster.serving()
    cluster.crash("2").settle()
    assert cluster.serving() == {"1": 3}
    cluster.run(5)
    assert cluster.status.phase == "RolledBack"
    cluster.spec = spec("3")
    cluster.run(60)
    assert cluster.serving() == {"3": 3}


@rule("R10")
def test_newer_spec_during_a_rollout_replaces_the_candidate() -> None:
    cluster = live()
    cluster.spec = spec("2")
    cluster.run(8)
    cluster.spec = spec("3")
    cluster.run(10)
    assert cluster.serving() == {"1": 3, "3": 1}
    cluster.run(60)
    assert cluster.serving() == {"3": 3}


@rule("R11")
def test_spec_of_stable_during_a_rollout_returns_traffic_at_once() -> None:
    cluster = live()
    cluster.spec = spec("2")
    cluster.run(8)
    cluster.spec = spec("1")
    cluster.settle()
    assert cluster.serving() == {"1": 3}
    cluster.run(5)
    assert cluster.status.phase == "Ready"
    assert cluster.status.history[0].outcome == "Withdrawn"


@rule("R11")
def test_promoted_revision_that_returns_skips_the_steps_but_not_the_smoke_tests() -> None:
    cluster = live()
    cluster.spec = spec("2")
    cluster.run(60)
    cluster.spec = spec("1")
    cluster.run(4)
    assert cluster.serving() == {"1": 3}


@rule("R15")
def test_failure_while_baking_undoes_the_promotion() -> None:
    cluster = live()
    cluster.spec = spec("2")
    cluster.run(30)
    assert cluster.status.phase == "Baking"
    cluster.crash("2").settle()
    assert cluster.serving() == {"1": 3}
    cluster.run(5)
    assert cluster.status.phase == "RolledBack"
    assert cluster.status.history[0].outcome == "Undone"


@rule("R13")
def test_broken_stable_does_not_block_its_fix() -> None:
    cluster = live()
    cluster.crash("1").run(12)
    cluster.spec = spec("2")
    cluster.run(8)
    assert cluster.serving().get("2", 0) >= 1


@rule("R13")
def test_ready_candidate_serves_as_soon_as_stable_has_no_ready_pod() -> None:
    cluster = live()
    cluster.spec = spec("2")
    cluster.run(1)
    cluster.spec = {**cluster.spec, "paused": True}
    cluster.run(5)
    stable = cluster.revision("1")
    cluster.pods = [
        replace(x, ready=False, ready_changed=cluster.now, containers=(Container("server"),))
        if x.revision == stable
        else x
        for x in cluster.pods
    ]
    assert set(cluster.run(0.5).serving()) == {"2"}
    assert cluster.status.candidate is not None
    assert cluster.status.candidate.weight == 0, "that gives it no weight"


@rule("R22")
def test_bluegreen_switches_once() -> None:
    extra = {"rollout": {"strategy": "BlueGreen", "bakeTime": "20s"}}
    cluster = live("1", **extra)
    cluster.spec = spec("2", **extra)
    start = len(cluster.shares)
    cluster.run(10)
    assert cluster.serving() == {"2": 3}
    assert all(len(share) == 1 for _, share in cluster.shares[start:])


@rule("R22")
def test_recreate_scales_stable_down_first_and_restores_it_after_a_failure() -> None:
    extra = {"rollout": {"strategy": "Recreate"}}
    cluster = live("1", **extra)
    cluster.spec = spec("2", **extra)
    cluster.run(15)
    assert cluster.serving() == {"2": 3}
    cluster.broken.add("3")
    cluster.spec = spec("3", **extra)
    cluster.run(30)
    assert cluster.serving() == {"2": 3}
    assert cluster.status.phase == "RolledBack"


@rule("R18")
@pytest.mark.parametrize("moment", [1, 4, 8, 12, 18, 30, 60])
def test_lost_status_is_rebuilt_and_the_rollout_ends_the_same(moment: int) -> None:
    cluster = live()
    cluster.spec = spec("2")
    cluster.run(moment)
    cluster.status = type(cluster.status)()
    cluster.run(90)
    assert cluster.serving() == {"2": 3}
    assert cluster.status.phase == "Ready"


@rule("R2", "R5")
def test_autoscaled_stable_keeps_its_floor_while_a_candidate_exists() -> None:
    extra = {"scaling": {"minReplicas": 1, "maxReplicas": 5}}
    cluster = live("1", **extra)
    first = cluster.revision("1")
    assert (cluster.autoscalers[first].min_replicas, cluster.autoscalers[first].max_replicas) == (
        1,
        5,
    )
    cluster.deployments[first] = type(cluster.deployments[first])(
        f"m-{first}", f"uid-{first}", first, cluster.deployments[first].color, 4
    )
    cluster.run(5)
    cluster.spec = spec("2", **extra)
    cluster.run(4)
    assert cluster.autoscalers[first].min_replicas == 4


@rule("R12")
def test_finished_step_is_not_repeated_when_steps_are_edited() -> None:
    cluster = live()
    cluster.spec = spec("2")
    cluster.run(18)
    assert cluster.serving() == {"1": 3, "2": 3}
    steps = [{"weight": 10, "pause": "30s"}, {"weight": 50, "pause": "1s"}]
    cluster.spec = spec("2", rollout={"steps": steps, "bakeTime": "20s"})
    cluster.run(6)
    assert cluster.serving() == {"2": 3}


@rule("R18")
@pytest.mark.parametrize("phase_at", [10, 18, 45, 80])
def test_restart_with_nothing_to_do_writes_nothing(phase_at: int) -> None:
    cluster = live()
    cluster.spec = spec("2")
    cluster.run(phase_at)
    writes = cluster.writes
    for _ in range(5):
        cluster.reconcile()
    assert cluster.writes == writes


@rule("R10", "R21")
def test_invalid_spec_during_a_rollout_leaves_all_traffic_to_stable() -> None:
    cluster = live()
    cluster.spec = spec("2")
    cluster.run(8)
    assert cluster.serving() == {"1": 3, "2": 1}
    cluster.spec = spec("3", runtime={"name": "no-such"})
    cluster.runtime = ResolvedRuntime(
        reason="UnknownRuntime", message="there is no runtime no-such"
    )
    cluster.run(5)
    assert cluster.status.phase == "Invalid"
    assert cluster.serving() == {"1": 3}
    assert len(cluster.deployments) == 1


@rule("R8", "R21")
def test_rejected_write_during_a_rollout_does_not_stop_the_health_checks() -> None:
    cluster = live()
    cluster.spec = spec("2")
    cluster.run(8)
    cluster.rejection = over_quota(ObjectRef("Deployment", "m-x"))
    cluster.run(1)
    assert "exceeded quota" in cluster.status.message
    cluster.crash("2").settle()
    assert cluster.serving() == {"1": 3}


@rule("R10", "R13")
def test_version_that_waits_behind_a_stable_without_pods_is_not_called_serving() -> None:
    cluster = Cluster(spec("1")).run(10)
    cluster.spec = spec("2")
    cluster.run(8)
    cluster.crash("1").run(12)
    cluster.spec = spec("3")
    cluster.run(2)
    assert set(cluster.serving()) == {"2"}
    assert "cannot be deleted while version 1" in cluster.status.message, cluster.status.message


@rule("R5", "R15")
@pytest.mark.parametrize("make", [spec, gateway_spec])
def test_version_that_returns_as_a_candidate_has_no_autoscaler(make: Any) -> None:
    """Its size follows the weight: an autoscaler would take away what a weight needs."""
    extra = {"scaling": {"minReplicas": 1, "maxReplicas": 5}}
    cluster = Cluster(make("1", **extra)).run(20)
    cluster.spec = make("2", **extra)
    until_phase(cluster, "Baking")
    first = cluster.revision("1")
    assert first in cluster.autoscalers, "warm, it keeps its own for an undo"
    second = cluster.revision("2")
    cluster.deployments[second] = replace(cluster.deployments[second], replicas=4)
    cluster.run(5).boot = 30
    cluster.spec = make("1", **extra)
    cluster.run(1)
    assert cluster.status.phase == "Progressing"
    assert first not in cluster.autoscalers
    cluster.run(120)
    assert cluster.status.phase == "Ready"
    assert first in cluster.autoscalers


@rule("R12", "R22")
def test_change_of_strategy_before_a_rollout_applies() -> None:
    recreate = {"rollout": {"strategy": "Recreate"}}
    cluster = Cluster(spec("1", **recreate)).run(10)
    cluster.spec = {**spec("2", **recreate), "paused": True}
    cluster.run(5)
    cluster.spec = spec("2")
    for _ in range(100):
        cluster.run(0.5)
        assert cluster.serving(), "no downtime any more"
    assert cluster.serving() == {"2": 3}


def until_phase(cluster: Cluster, phase: str) -> None:
    for _ in range(200):
        if cluster.status.phase == phase:
            return
        cluster.run(0.5)
    raise AssertionError(f"never {phase}: {cluster.status.message}")


@rule("R4", "R14")
def test_candidate_in_the_color_of_stable_is_created_again_in_another() -> None:
    """Behind a route, an older revision may have the color that stable got since. It could never
    be promoted, and callers inside the cluster would reach it."""
    cluster = Cluster(gateway_spec("1")).run(10)
    cluster.spec = gateway_spec("2")
    cluster.run(1)
    second = cluster.revision("2")
    color = cluster.deployments[cluster.revision("1")].color
    cluster.deployments[second] = replace(cluster.deployments[second], color=color)
    cluster.pods = [replace(x, color=color) if x.revision == second else x for x in cluster.pods]
    cluster.run(120)
    assert cluster.deployments[second].color != color
    assert cluster.status.stable is not None
    assert cluster.status.stable.revision == second, cluster.status.message
