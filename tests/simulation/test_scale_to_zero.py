"""Models that are scaled to zero and back, in every strategy, with the status or without (R5)."""

from __future__ import annotations

from typing import Any

import pytest

from canarium.kube import resources
from simulation import specs
from simulation.kubelet import PodBehavior
from simulation.scenario import Scenario
from simulation.server import PERSON
from simulation.world import KEY

rule = pytest.mark.rule


def scale(scenario: Scenario, replicas: int, seconds: float, **settings: Any) -> None:
    scenario.world.apply({**specs.spec(**settings), "scaling": {"replicas": replicas}})
    scenario.operator.start()
    scenario.operator.advance(seconds)


def lose_status(scenario: Scenario) -> None:
    body = {**scenario.world.model(), "status": {}}
    scenario.world.server.put_status(resources.MODELS, KEY, body, PERSON)
    scenario.checks.forgive()


# I4
@rule("R5", "R12", "R18")
@pytest.mark.parametrize("router", specs.ROUTERS)
@pytest.mark.parametrize("underway", [True, False])
def test_model_that_is_scaled_up_after_its_status_was_lost_starts_stable_first(
    scenario: Scenario, router: str, underway: bool
) -> None:
    """Otherwise the candidate, which loads faster, receives all traffic without a command."""
    settings = {"router": router, "steps": "manual"}
    scenario.apply(12.0, **settings)
    if underway:
        scenario.apply(8.0, version="v2", **settings)
        assert scenario.world.status()["weight"] == 20
    scale(scenario, 0, 12.0, version="v2", **settings)
    stable = scenario.revision("stable")
    assert not scenario.world.pods()
    scenario.operator.kill()
    lose_status(scenario)
    scenario.world.kubelet.behaviors[specs.image("v1")] = PodBehavior(boot=8.0)
    scale(scenario, 3, 0.0, version="v2", **settings)
    while scenario.world.ready(stable) < 3:
        scenario.operator.advance(0.5)
        assert set(scenario.world.selected_ready()) <= {stable}
    scenario.operator.advance(10.0)
    assert scenario.world.status()["weight"] == 20


# I4
@rule("R5", "R22")
@pytest.mark.parametrize("router", specs.ROUTERS)
def test_recreate_scales_stable_to_zero_while_a_new_version_waits(
    scenario: Scenario, router: str
) -> None:
    settings = {"router": router, "strategy": "Recreate"}
    scenario.apply(12.0, **settings)
    scale(scenario, 0, 5.0, version="v2", **settings)
    assert not scenario.world.pods()
    assert scenario.world.status()["waitingFor"]["reason"] == "ScaledToZero"
    assert "is serving" not in scenario.world.status()["message"]
    scale(scenario, 3, 60.0, version="v2", **settings)
    assert scenario.world.status()["version"] == "v2"
    assert scenario.world.status()["phase"] == "Ready"


# I4
@rule("R15", "R29")
@pytest.mark.parametrize("router", specs.ROUTERS)
def test_bake_continues_after_scale_to_zero(scenario: Scenario, router: str) -> None:
    """The scenario's fixture compares each change of phase with the table."""
    settings = {"router": router, "strategy": "BlueGreen", "bake": "60s"}
    scenario.apply(12.0, **settings)
    scenario.apply(8.0, version="v2", **settings)
    assert scenario.world.status()["phase"] == "Baking"
    scale(scenario, 0, 10.0, version="v2", **settings)
    scenario.world.kubelet.behaviors[specs.image("v2")] = PodBehavior(boot=8.0)
    scale(scenario, 3, 1.0, version="v2", **settings)
    assert scenario.world.status()["phase"] == "Starting"
    scenario.operator.advance(5.0)
    assert scenario.world.status()["phase"] == "Baking"
    scenario.operator.advance(60.0)
    assert scenario.world.status()["phase"] == "Ready"


def load(scenario: Scenario, pods: int, seconds: float) -> None:
    scenario.world.autoscalers.load = pods
    scenario.world.nudge()
    scenario.operator.advance(seconds)


@rule("R3", "R4", "R5")
@pytest.mark.parametrize("router", specs.ROUTERS)
@pytest.mark.parametrize("strategy", specs.STRATEGIES)
def test_autoscaler_scales_the_model_to_zero_and_a_new_version_waits_for_load(
    scenario: Scenario, router: str, strategy: str
) -> None:
    settings = {"router": router, "strategy": strategy, "scaling": "elastic", "steps": "manual"}
    scenario.world.autoscalers.load = 0
    scenario.apply(12.0, **settings)
    assert scenario.world.status()["phase"] == "Ready", "the first version passed its smoke tests"
    assert not scenario.world.pods()
    stable = scenario.revision("stable")
    scenario.apply(60.0, version="v2", **settings)
    assert scenario.world.status()["waitingFor"]["reason"] == "ScaledToZero"
    assert not scenario.world.pods()
    assert scenario.floors() == {stable: 0}
    scenario.world.kubelet.behaviors[specs.image("v1")] = PodBehavior(boot=8.0)
    load(scenario, 3, 0.0)
    if strategy == "Canary":
        while scenario.world.ready(stable) < 3:
            scenario.operator.advance(0.5)
            assert set(scenario.world.selected_ready()) <= {stable}
        scenario.operator.advance(10.0)
        assert scenario.world.status()["weight"] == 20
        assert scenario.floors() == {stable: 3}, "a rollout keeps the pods that it started with"
        load(scenario, 0, 60.0)
        assert scenario.world.ready(stable) == 3
        scenario.world.command("promote-full", f"{scenario.revision('candidate')}/on")
    scenario.operator.advance(120.0)
    assert scenario.world.status()["version"] == "v2"
    assert scenario.world.status()["phase"] == "Ready"
    load(scenario, 0, 10.0)
    assert not scenario.world.pods()


# An autoscaler of Kubernetes 1.36 and later scales up only what it has scaled to zero itself.
@rule("R23", "R29")
@pytest.mark.parametrize("change", ["scaled by hand", "autoscaler deleted", "was of fixed size"])
def test_model_that_its_autoscaler_would_leave_at_zero_is_scaled_up(
    scenario: Scenario, change: str
) -> None:
    scenario.world.autoscalers.load = 2
    scenario.apply(12.0, scaling="zero" if change == "was of fixed size" else "three")
    scenario.apply(12.0, scaling="elastic")
    stable = scenario.revision("stable")
    if change == "scaled by hand":
        scenario.world.server.scale((KEY[0], f"{KEY[1]}-{stable}"), 0, PERSON)
    elif change == "autoscaler deleted":
        load(scenario, 0, 10.0)
        assert not scenario.world.pods()
        scenario.world.server.delete(resources.AUTOSCALERS, (KEY[0], f"{KEY[1]}-{stable}"))
        scenario.world.autoscalers.load = 2
    scenario.world.nudge()
    scenario.operator.advance(20.0)
    assert scenario.world.ready(stable) == 2, scenario.world.status()
    load(scenario, 0, 10.0)
    assert not scenario.world.pods()
    assert scenario.world.status()["phase"] == "Ready"


@rule("R15", "R17")
@pytest.mark.parametrize("router", specs.ROUTERS)
def test_bake_does_not_end_while_the_model_is_scaled_to_zero(
    scenario: Scenario, router: str
) -> None:
    settings = {"router": router, "strategy": "BlueGreen", "bake": "60s"}
    scenario.apply(12.0, **settings)
    scenario.apply(8.0, version="v2", **settings)
    assert scenario.world.status()["phase"] == "Baking"
    scale(scenario, 0, 300.0, version="v2", **settings)
    status = scenario.world.status()
    assert (status["phase"], status["waitingFor"]["reason"]) == ("Baking", "ScaledToZero")
    assert "The bake is on hold until the model is scaled up, with 5" in status["message"]
    scale(scenario, 3, 30.0, version="v2", **settings)
    assert scenario.world.status()["phase"] == "Baking"
    scenario.operator.advance(40.0)
    assert scenario.world.status()["phase"] == "Ready"
