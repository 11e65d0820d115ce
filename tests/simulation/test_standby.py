"""Outages of stable at chosen moments, told to the whole simulated cluster (R13, R15)."""

from __future__ import annotations

import pytest

from canarium.kube import resources
from simulation import specs
from simulation.answered import Answered
from simulation.kubelet import Temper
from simulation.server import PERSON
from simulation.story import Story

#: Seconds after version 2 was applied: gathering, at a weight, about to be promoted, in the bake.
MOMENTS = (1.0, 4.0, 12.0, 20.0, 27.0, 32.0, 40.0)
EVENTS = ("pods deleted", "Deployment deleted", "drained", "unready")


@pytest.mark.rule("R0", "R13", "R15", "R23", "R25")
@pytest.mark.parametrize("router", specs.ROUTERS)
@pytest.mark.parametrize("event", EVENTS)
def test_somebody_answers_within_a_second_whenever_stable_has_no_ready_pod(
    story: Story, event: str, router: str
) -> None:
    answered = Answered(story.world, story.witness, story.operator, "decisions")
    story.apply(12.0, router=router, bake="60s")
    versions = iter(range(2, 2 + len(MOMENTS)))
    for moment in MOMENTS:
        version = f"v{next(versions)}"
        story.world.kubelet.tempers.clear()
        story.apply(moment, version=version, router=router, bake="60s")
        stable = story.part("stable")
        image = story.world.pods(stable)[0]["spec"]["containers"][0]["image"]
        story.world.kubelet.tempers[image] = Temper(boot=25.0)
        _befalls(story, event, stable)
        for _ in range(200):
            story.operator.advance(0.25)
            answered.look()
        story.world.kubelet.tempers.clear()
        for pod in story.world.pods():
            story.world.kubelet.strike(pod, None)
        story.world.nudge()
        story.operator.advance(120.0)
        assert story.world.status()["phase"] in ("Ready", "RolledBack"), story.world.status()
    assert story.witness.violations == []


def _befalls(story: Story, event: str, revision: str) -> None:
    for pod in story.world.pods(revision):
        meta = pod["metadata"]
        if event == "unready":
            story.world.kubelet.strike(pod, "never ready")
        elif event == "drained":
            story.world.kubelet.evict(pod)
        elif event == "pods deleted":
            story.world.server.delete(
                resources.PODS, (meta["namespace"], meta["name"]), actor=PERSON
            )
    if event == "Deployment deleted":
        key = ("ns", f"m-{revision}")
        story.world.server.delete(resources.DEPLOYMENTS, key, actor=PERSON)
    story.world.nudge()
