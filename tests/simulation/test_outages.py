"""Outages of stable at chosen moments, in the whole simulated cluster (R13, R15)."""

from __future__ import annotations

import pytest

from canarium.kube import resources
from canarium.render import labels
from simulation import specs
from simulation.kubelet import PodBehavior
from simulation.scenario import Scenario
from simulation.server import PERSON
from simulation.serving_invariant import ServingInvariant
from simulation.world import KEY

#: Seconds after version 2 was applied: gathering, at a weight, about to be promoted, in the bake.
MOMENTS = (1.0, 4.0, 12.0, 20.0, 27.0, 32.0, 40.0)
EVENTS = ("pods deleted", "Deployment deleted", "drained", "unready")


@pytest.mark.rule("R0", "R13", "R15", "R23", "R25")
@pytest.mark.parametrize("router", specs.ROUTERS)
@pytest.mark.parametrize("event", EVENTS)
def test_standby_serves_within_a_second_whenever_stable_has_no_ready_pod(
    scenario: Scenario, event: str, router: str
) -> None:
    answered = ServingInvariant(scenario.world, scenario.checks, scenario.operator, "decisions")
    scenario.apply(12.0, router=router, bake="60s")
    versions = iter(range(2, 2 + len(MOMENTS)))
    for moment in MOMENTS:
        version = f"v{next(versions)}"
        scenario.world.kubelet.behaviors.clear()
        scenario.apply(moment, version=version, router=router, bake="60s")
        stable = scenario.revision("stable")
        image = scenario.world.pods(stable)[0]["spec"]["containers"][0]["image"]
        scenario.world.kubelet.behaviors[image] = PodBehavior(boot=25.0)
        _inject(scenario, event, stable)
        for _ in range(200):
            scenario.operator.advance(0.25)
            answered.look()
        scenario.world.kubelet.behaviors.clear()
        for pod in scenario.world.pods():
            scenario.world.kubelet.strike(pod, None)
        scenario.world.nudge()
        scenario.operator.advance(120.0)
        assert scenario.world.status()["phase"] in ("Ready", "RolledBack"), scenario.world.status()
    assert scenario.checks.violations == []


def _inject(scenario: Scenario, event: str, revision: str) -> None:
    for pod in scenario.world.pods(revision):
        meta = pod["metadata"]
        if event == "unready":
            scenario.world.kubelet.strike(pod, "never ready")
        elif event == "drained":
            scenario.world.kubelet.evict(pod)
        elif event == "pods deleted":
            scenario.world.server.delete(
                resources.PODS, (meta["namespace"], meta["name"]), actor=PERSON
            )
    if event == "Deployment deleted":
        key = ("ns", f"m-{revision}")
        scenario.world.server.delete(resources.DEPLOYMENTS, key, actor=PERSON)
    scenario.world.nudge()


@pytest.mark.rule("R15")
@pytest.mark.parametrize(
    ("label", "value"),
    [
        (labels.COLOR, None),
        (labels.COLOR, "purple"),
        (labels.REVISION, None),
        (labels.MODEL, None),
    ],
)
def test_warm_version_serves_until_stable_pods_that_lost_a_label_are_replaced(
    scenario: Scenario, label: str, value: str | None
) -> None:
    """Another client removed or changed a label that the Service selects."""
    scenario.apply(12.0, strategy="BlueGreen")
    scenario.apply(6.0, strategy="BlueGreen", version="v2")
    stable, warm = scenario.revision("stable"), scenario.revision("previous")
    lost = _relabel(scenario, stable, label, value)
    scenario.operator.advance(1.0)
    assert scenario.world.selected_ready().get(warm) == 3
    scenario.operator.advance(30.0)
    assert scenario.world.selected_ready().get(stable, 0) >= 3, "the pods were not replaced"
    scenario.operator.advance(120.0)
    status = scenario.world.status()
    assert (status["phase"], status["stable"]["revision"]) == ("Ready", stable)
    present = {pod["metadata"]["name"] for pod in scenario.world.server.all(resources.PODS)}
    assert lost <= present, "a released pod was deleted"
    assert scenario.checks.violations == []


@pytest.mark.rule("R0", "R29")
def test_route_leads_to_released_pods_while_no_other_is_ready(scenario: Scenario) -> None:
    """A backend selects pods by their revision: one that lost its colour answers callers."""
    scenario.apply(12.0, router="Gateway", steps="fast")
    scenario.apply(14.0, router="Gateway", steps="fast", version="v2")
    stable, warm = scenario.revision("stable"), scenario.revision("previous")
    assert scenario.world.gateways.led.get(stable) == 100
    for revision, label in ((stable, labels.REVISION), (warm, labels.COLOR)):
        _relabel(scenario, revision, label, None)
        scenario.operator.advance(0.1)
        assert scenario.world.gateways.led.get(warm) == 100
    scenario.operator.advance(60.0)
    assert scenario.world.gateways.led.get(stable) == 100
    assert scenario.checks.violations == []


def _relabel(scenario: Scenario, revision: str, label: str, value: str | None) -> set[str]:
    names = {pod["metadata"]["name"] for pod in scenario.world.pods(revision)}
    for name in names:
        patch = {"metadata": {"labels": {label: value}}}
        scenario.world.server.merge(resources.PODS, (KEY[0], name), patch, PERSON)
    return names
