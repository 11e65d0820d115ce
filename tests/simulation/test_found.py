"""What the adversary found, each as a small story with a name."""

from __future__ import annotations

from typing import Any

import pytest

from canarium.kube import resources
from canarium.render import labels
from simulation import routing, specs
from simulation.kubelet import Temper
from simulation.server import OPERATOR, PERSON, Write
from simulation.story import Story
from simulation.world import KEY

rule = pytest.mark.rule


@rule("R5", "R15")
def test_old_version_keeps_its_floor_from_promotion_to_the_end_of_the_bake(story: Story) -> None:
    story.world.autoscalers.load = 3
    story.apply(12.0, scaling="auto", strategy="BlueGreen")
    story.apply(5.0, scaling="auto", strategy="BlueGreen", version="v2")
    assert story.world.status()["phase"] == "Baking"
    story.world.autoscalers.load = 1  # Nothing reaches it any more.
    story.operator.advance(5.0)
    previous = story.part("previous")
    assert story.floors()[previous] == 3
    assert story.world.ready(previous) == 3


@rule("R2", "R23")
def test_autoscaler_goes_whose_deployment_somebody_deleted(story: Story) -> None:
    story.apply(12.0, scaling="auto", strategy="BlueGreen")
    story.apply(6.0, scaling="auto", strategy="BlueGreen", version="v2")
    assert len(story.floors()) == 2
    name = f"{KEY[1]}-{story.part('previous')}"
    story.world.server.delete(resources.DEPLOYMENTS, (KEY[0], name), actor=PERSON)
    story.operator.advance(60.0)
    assert set(story.floors()) == {story.part("stable")}


@rule("R12", "R18")
def test_candidate_note_that_somebody_removed_is_put_back_and_the_steps_go_on(
    story: Story,
) -> None:
    story.apply(12.0)
    story.apply(8.0, version="v2")
    assert story.world.status()["weight"] == 25
    patch = {"metadata": {"annotations": {labels.CANDIDATE: None}}}
    story.world.server.merge(resources.SERVICES, KEY, patch, PERSON)
    story.operator.advance(0.1)
    service = story.world.service()
    assert service
    assert service["metadata"]["annotations"][labels.CANDIDATE] == story.part("candidate")
    story.operator.advance(30.0)
    assert story.world.status()["version"] == "v2"


@rule("R5", "R8")
def test_stable_keeps_its_floor_while_the_traffic_of_a_failed_candidate_comes_back(
    story: Story,
) -> None:
    story.world.autoscalers.load = 3
    story.apply(12.0, scaling="auto")
    story.apply(8.0, scaling="auto", version="v2")
    story.world.endpoints.lag = 3.0
    for pod in story.world.pods(story.part("candidate")):
        story.world.kubelet.strike(pod, "crashes")
    story.world.autoscalers.load = 1
    story.operator.advance(1.0)
    assert story.world.status()["phase"] == "RollingBack"
    assert story.floors() == {story.part("stable"): 3}
    story.operator.advance(60.0)
    assert story.floors() == {story.part("stable"): 1}


@rule("R22", "R23")
def test_two_deployments_that_are_made_at_once_never_get_one_colour(story: Story) -> None:
    story.apply(12.0, scaling="auto", steps="fast")
    story.apply(5.0, scaling="auto", steps="fast", version="v2")
    stable = story.part("stable")
    story.apply(0.1, scaling="auto", steps="fast", version="v3")
    story.world.server.delete(resources.DEPLOYMENTS, (KEY[0], f"{KEY[1]}-{stable}"), actor=PERSON)
    story.operator.advance(60.0)
    assert story.world.status()["version"] == "v3"


@rule("R10", "R12", "R22")
def test_new_version_goes_by_the_strategy_that_came_with_it(story: Story) -> None:
    story.world.endpoints.lag = 3.0
    story.apply(3.0, strategy="Recreate")
    assert story.world.status()["phase"] == "Starting"
    story.apply(0.1, strategy="Canary")
    story.apply(30.0, strategy="Canary", version="v2")
    assert story.world.status()["version"] == "v2"


@rule("R10", "R23", "R24")
@pytest.mark.parametrize("part", ["stable", "candidate", "previous"])
def test_deployment_that_lost_its_labels_gets_them_back_and_loses_no_pod(
    story: Story, part: str
) -> None:
    story.apply(12.0, bake="60s")
    story.apply(45.0 if part == "previous" else 8.0, bake="60s", version="v2")
    revision = story.part(part)
    key = (KEY[0], f"{KEY[1]}-{revision}")
    pods = {p["metadata"]["name"] for p in story.world.pods(revision)}
    patch = {"metadata": {"labels": {labels.MODEL: None}}}
    story.world.server.merge(resources.DEPLOYMENTS, key, patch, PERSON)
    story.operator.advance(0.5)
    if part == "previous":
        # The bake cannot go on without it; it holds a colour, so the next version finds it.
        story.apply(90.0, version="v3")
        assert story.world.server.find(resources.DEPLOYMENTS, key) is None
        assert story.world.status()["version"] == "v3"
        return
    live = story.world.server.get(resources.DEPLOYMENTS, key)
    assert live["metadata"]["labels"][labels.MODEL] == KEY[1]
    assert pods <= {p["metadata"]["name"] for p in story.world.pods(revision)}
    story.operator.advance(120.0)
    assert story.world.status()["version"] == "v2"


@rule("R12", "R14")
def test_route_goes_on_by_its_own_settings_when_the_spec_asks_for_another_router(
    story: Story,
) -> None:
    story.apply(12.0, router="Gateway", steps="fast")
    story.apply(5.0, router="Gateway", steps="fast", version="v2")
    assert story.world.status()["weight"] == 10
    story.apply(4.0, steps="fast", version="v2")
    story.operator.advance(120.0)
    assert story.world.status()["version"] == "v2"
    routing.arrived(story.world, story.part("stable"), "Service")


@rule("R13", "R22")
def test_route_is_made_for_the_candidate_when_stable_never_came_up_behind_it(story: Story) -> None:
    settings = {"router": "Gateway", "strategy": "Recreate", "scaling": "one"}
    story.apply(2.6, **settings)
    for pod in story.world.pods():
        story.world.kubelet.strike(pod, "crashes")
    story.operator.advance(1.0)
    story.apply(60.0, version="v2", **settings)
    assert story.world.status()["version"] == "v2"
    routing.arrived(story.world, story.part("stable"), "Gateway")


@rule("R23")
def test_stable_and_candidate_never_get_one_colour_when_both_are_made_at_once(story: Story) -> None:
    story.apply(12.0, router="Gateway")
    story.operator.kill()
    name = f"{KEY[1]}-{story.part('stable')}"
    story.world.server.delete(resources.DEPLOYMENTS, (KEY[0], name), actor=PERSON)
    patch = {"spec": {"selector": {labels.COLOR: "none"}}}
    story.world.server.merge(resources.SERVICES, KEY, patch, PERSON)
    story.apply(20.0, router="Gateway", version="v2")
    colors = {
        d["spec"]["template"]["metadata"]["labels"][labels.COLOR]: d["metadata"]["name"]
        for d in story.world.server.all(resources.DEPLOYMENTS)
    }
    assert len(colors) == 2


@rule("R12", "R23")
@pytest.mark.parametrize("strategy", ["Canary", "BlueGreen"])
def test_rollout_whose_route_was_deleted_goes_on_by_the_router_that_the_spec_asks_for(
    story: Story, strategy: str
) -> None:
    story.apply(12.0, router="Gateway", steps="fast", strategy=strategy)
    story.apply(2.0, router="Gateway", steps="fast", strategy=strategy, version="v2")
    story.apply(0.1, steps="fast", strategy=strategy, version="v2")
    story.world.server.delete(resources.HTTP_ROUTES, KEY, actor=PERSON)
    story.operator.advance(120.0)
    assert story.world.status()["version"] == "v2"
    routing.arrived(story.world, story.part("stable"), "Service")


class Told:
    """Statuses that the operator writes, with `step` like the bench's: one weight, no bake."""

    def __init__(self, story: Story, replicas: str = "one") -> None:
        self._story, self._replicas = story, replicas
        self.writes: list[dict[str, Any]] = []
        story.world.server.observers.append(self._see)

    def _see(self, write: Write) -> None:
        if write.actor == OPERATOR and write.resource is resources.MODELS and write.after:
            self.writes.append(write.after["status"])

    def apply(self, version: str, boot: float, seconds: float) -> int:
        """How many while `version`, whose pods take `boot` seconds, is rolled out."""
        story, before = self._story, len(self.writes)
        story.world.kubelet.tempers[specs.image(version)] = Temper(boot=boot)
        spec = specs.spec(version, scaling=self._replicas, bake="0s")
        spec["rollout"] |= {"steps": [{"weight": 20, "pause": "5s"}], "progressDeadline": "10m"}
        story.world.apply(spec)
        story.operator.start()
        story.operator.advance(seconds)
        return len(self.writes) - before


def test_slow_pods_and_late_endpoints_cost_no_statuses(story: Story) -> None:
    # As on a machine that starts a thousand models at once.
    told = Told(story)
    story.world.endpoints.lag = 12.0
    assert told.apply("v1", boot=90.0, seconds=150.0) == 2
    assert told.apply("v2", boot=90.0, seconds=200.0) == 3
    assert story.world.status()["phase"] == "Ready"
    assert story.world.status()["version"] == "v2"


def test_counts_of_pods_are_at_most_half_a_minute_old(story: Story) -> None:
    told = Told(story, "three")
    assert told.apply("v1", boot=40.0, seconds=0.1) == 1
    # Two of three are ready from the 41st second on, and nothing names why the third is not.
    story.world.kubelet.strike(story.world.pods()[0], "never ready")
    story.operator.advance(55.0)
    assert story.world.status()["readyReplicas"] == 0
    story.operator.advance(4.0)
    assert story.world.status()["phase"] == "Starting"
    assert len(told.writes) == 1
    story.operator.advance(16.0)
    assert story.world.status()["readyReplicas"] == 2
    assert len(told.writes) == 2


@rule("R22", "R25")
def test_pod_that_ended_and_stays_does_not_hold_up_a_version_that_takes_its_place(
    story: Story,
) -> None:
    """A ReplicaSet does not delete a Failed pod, not even when it is scaled to nothing."""
    story.apply(12.0, strategy="Recreate", scaling="one")
    story.world.kubelet.fail(story.world.pods(story.part("stable"))[0])
    story.operator.advance(5.0)
    story.apply(60.0, strategy="Recreate", scaling="one", version="v2")
    assert story.world.status()["phase"] == "Ready"
    assert story.world.status()["version"] == "v2"


@rule("R23")
def test_pod_that_ended_and_stays_keeps_no_color(story: Story) -> None:
    """Nobody owns it any more, so it outlives its Deployment."""
    story.apply(12.0)
    story.apply(5.0, version="v2")
    ended = story.world.pods(story.part("candidate"))[0]
    story.world.kubelet.fail(ended)
    patch = {"metadata": {"ownerReferences": None}}
    key = (KEY[0], ended["metadata"]["name"])
    story.world.server.merge(resources.PODS, key, patch, PERSON)
    story.apply(60.0)
    story.apply(120.0, version="v3")
    assert story.world.status()["version"] == "v3"


@rule("R25")
def test_nodes_that_reboot_are_no_fault_of_the_version_that_bakes_on_them(story: Story) -> None:
    story.apply(12.0)
    story.apply(35.0, version="v2")
    assert story.world.status()["phase"] == "Baking"
    for node in story.world.kubelet.nodes:
        story.world.kubelet.reboot(node)
    story.operator.advance(60.0)
    assert story.world.status()["phase"] == "Ready"
    assert story.world.status()["version"] == "v2"


@rule("R22", "R23")
def test_stable_that_lost_its_labels_goes_down_for_the_version_that_takes_its_place(
    story: Story,
) -> None:
    story.apply(12.0, strategy="Recreate")
    name = f"{KEY[1]}-{story.part('stable')}"
    story.operator.kill()
    patch = {"metadata": {"labels": {labels.MODEL: None}}}
    story.world.server.merge(resources.DEPLOYMENTS, (KEY[0], name), patch, PERSON)
    story.apply(60.0, strategy="Recreate", version="v2")
    assert story.world.status()["version"] == "v2"
