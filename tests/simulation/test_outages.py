"""Outages of stable at chosen moments, in the whole simulated cluster (R13, R15)."""

from __future__ import annotations

import pytest

from canarium.kube import resources
from canarium.render import labels
from simulation import specs
from simulation.kubelet import Temper
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
        scenario.world.kubelet.tempers.clear()
        scenario.apply(moment, version=version, router=router, bake="60s")
        stable = scenario.part("stable")
        image = scenario.world.pods(stable)[0]["spec"]["containers"][0]["image"]
        scenario.world.kubelet.tempers[image] = Temper(boot=25.0)
        _befalls(scenario, event, stable)
        for _ in range(200):
            scenario.operator.advance(0.25)
            answered.look()
        scenario.world.kubelet.tempers.clear()
        for pod in scenario.world.pods():
            scenario.world.kubelet.strike(pod, None)
        scenario.world.nudge()
        scenario.operator.advance(120.0)
        assert scenario.world.status()["phase"] in ("Ready", "RolledBack"), scenario.world.status()
    assert scenario.checks.violations == []


def _befalls(scenario: Scenario, event: str, revision: str) -> None:
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
def test_warm_version_serves_during_the_bake_when_stable_pods_lose_their_color(
    scenario: Scenario,
) -> None:
    """Another client removed the label that the Service selects: ready pods are not endpoints."""
    scenario.apply(12.0, strategy="BlueGreen")
    scenario.apply(6.0, strategy="BlueGreen", version="v2")
    stable, warm = scenario.part("stable"), scenario.part("previous")
    for pod in scenario.world.pods(stable):
        patch = {"metadata": {"labels": {labels.COLOR: None}}}
        key = (KEY[0], pod["metadata"]["name"])
        scenario.world.server.merge(resources.PODS, key, patch, PERSON)
    scenario.operator.advance(1.0)
    assert scenario.world.selected_ready()[warm] == 3
    assert labels.COLOR in scenario.world.status()["message"]
    scenario.operator.advance(30.0)
    assert scenario.world.ready(warm) == 3, "the bake ended while stable could not be selected"
    scenario.operator.advance(120.0)
    assert scenario.world.selected_ready() == {warm: 3}
    assert scenario.world.status()["phase"] == "RolledBack"
    assert scenario.checks.violations == []
