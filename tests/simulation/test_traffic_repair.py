"""What callers use is restored at once, at every moment of a rollout (R0, R23)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from canarium.kube import resources
from canarium.render import labels
from simulation import specs
from simulation.gateways import weights
from simulation.kubelet import PodBehavior
from simulation.scenario import Scenario
from simulation.server import PERSON
from simulation.world import KEY

rule = pytest.mark.rule
#: Seconds that a pod of the second version takes to start, seconds after it was applied, and its
#: rollout; with the phase, the reason to wait, and the weight then.
MOMENTS = {
    "starting": (8.0, 3.0, {}, "Progressing", "WaitingForPods", 0),
    "starting for all of the traffic": (
        *(8.0, 3.0, {"steps": "whole"}),
        *("Progressing", "WaitingForPods", 0),
    ),
    "starting beside stable": (
        *(8.0, 3.0, {"strategy": "BlueGreen"}),
        *("Progressing", "WaitingForPods", 0),
    ),
    "in a step": (2.0, 5.0, {}, "Progressing", "StepPause", 25),
    "in a manual pause": (2.0, 8.0, {"steps": "manual"}, "Progressing", "Manual", 20),
    "between two weights": (5.0, 17.0, {}, "Progressing", "WaitingForPods", 25),
    "in the bake": (2.0, 4.0, {"strategy": "BlueGreen"}, "Baking", "Bake", None),
}
MOMENT = pytest.mark.parametrize("moment", MOMENTS)


def reach(scenario: Scenario, moment: str, router: str) -> None:
    boot, seconds, rollout, *expected = MOMENTS[moment]
    scenario.apply(14.0, router=router, **rollout)
    scenario.world.kubelet.behaviors[specs.image("v2")] = PodBehavior(boot=boot)
    scenario.apply(seconds, router=router, version="v2", **rollout)
    status = scenario.world.status()
    found = [status["phase"], status["waitingFor"]["reason"], status.get("weight")]
    assert found == expected, status["message"]


def delete(scenario: Scenario) -> None:
    scenario.world.server.delete(resources.SERVICES, KEY, actor=PERSON)


def select_no_version(scenario: Scenario) -> None:
    patch = {"spec": {"selector": {labels.COLOR: "none"}}}
    scenario.world.server.merge(resources.SERVICES, KEY, patch, PERSON)


def selected(scenario: Scenario) -> Any:
    service = scenario.world.service()
    return service and service["spec"]["selector"]


@rule("R0", "R13", "R23")
@pytest.mark.parametrize("change", [delete, select_no_version])
@MOMENT
def test_callers_service_is_restored_at_once(
    scenario: Scenario, moment: str, change: Callable[[Scenario], None]
) -> None:
    reach(scenario, moment, "Service")
    before = selected(scenario)
    change(scenario)
    scenario.operator.advance(1.0)
    assert selected(scenario) == before
    assert "No version is serving" not in scenario.world.status()["message"]


@rule("R0", "R23", "R29")
@MOMENT
def test_deleted_route_is_restored_at_once_with_its_weights(
    scenario: Scenario, moment: str
) -> None:
    reach(scenario, moment, "Gateway")
    before = route_weights(scenario)
    scenario.world.server.delete(resources.HTTP_ROUTES, KEY, actor=PERSON)
    scenario.operator.advance(1.0)
    assert route_weights(scenario) == before


def route_weights(scenario: Scenario) -> dict[str, int]:
    """The weight of each version that has one."""
    route = scenario.world.server.find(resources.HTTP_ROUTES, KEY)
    assert route
    return {revision: weight for revision, weight in weights(route).items() if weight}


@rule("R0", "R23")
@pytest.mark.parametrize("router", specs.ROUTERS)
def test_callers_service_of_the_first_version_is_restored_before_it_serves(
    scenario: Scenario, router: str
) -> None:
    scenario.world.endpoints.lag = 5.0
    scenario.apply(4.0, router=router)
    assert scenario.world.status()["phase"] == "Starting"
    select_no_version(scenario)
    scenario.operator.advance(10.0)
    assert scenario.world.status()["phase"] == "Ready", scenario.world.status()["message"]
