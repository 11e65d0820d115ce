"""Faults that the adversary found once, each as a short scenario."""

from __future__ import annotations

from typing import Any

import pytest

from canarium.kube import resources
from canarium.render import labels, workload
from simulation import route_invariants, specs
from simulation.kubelet import PodBehavior
from simulation.scenario import Scenario
from simulation.server import OPERATOR, PERSON, Write
from simulation.world import KEY

rule = pytest.mark.rule


@rule("R5", "R15")
def test_old_version_keeps_its_floor_from_promotion_to_the_end_of_the_bake(
    scenario: Scenario,
) -> None:
    scenario.world.autoscalers.load = 3
    scenario.apply(12.0, scaling="auto", strategy="BlueGreen")
    scenario.apply(5.0, scaling="auto", strategy="BlueGreen", version="v2")
    assert scenario.world.status()["phase"] == "Baking"
    scenario.world.autoscalers.load = 1  # Nothing reaches it any more.
    scenario.operator.advance(5.0)
    previous = scenario.revision("previous")
    assert scenario.floors()[previous] == 3
    assert scenario.world.ready(previous) == 3


@rule("R5")
def test_stable_keeps_its_floor_in_the_decision_that_gives_the_candidate_traffic(
    scenario: Scenario,
) -> None:
    """The model was scaled down while no operator ran: the candidate has pods for five of stable,
    and they end later than the write that selects them."""
    scenario.apply(12.0, scaling="five")
    scenario.apply(2.0, scaling="five", version="v2")
    candidate = scenario.revision("candidate")
    scenario.operator.kill()
    scenario.operator.advance(5.0)
    assert scenario.world.ready(candidate) == 2
    scenario.apply(1.0, scaling="one", version="v2")
    assert scenario.world.status()["weight"] == 25
    assert scenario.world.ready(scenario.revision("stable")) == 3
    assert scenario.checks.violations == []


@rule("R2", "R23")
def test_autoscaler_of_a_deleted_deployment_is_deleted(scenario: Scenario) -> None:
    scenario.apply(12.0, scaling="auto", strategy="BlueGreen")
    scenario.apply(6.0, scaling="auto", strategy="BlueGreen", version="v2")
    assert len(scenario.floors()) == 2
    name = f"{KEY[1]}-{scenario.revision('previous')}"
    scenario.world.server.delete(resources.DEPLOYMENTS, (KEY[0], name), actor=PERSON)
    scenario.operator.advance(60.0)
    assert set(scenario.floors()) == {scenario.revision("stable")}


@rule("R2", "R23")
def test_autoscaler_without_label_is_deleted_if_its_deployment_was_deleted(
    scenario: Scenario,
) -> None:
    scenario.apply(12.0, scaling="auto", strategy="BlueGreen")
    scenario.apply(6.0, scaling="auto", strategy="BlueGreen", version="v2")
    key = (KEY[0], f"{KEY[1]}-{scenario.revision('previous')}")
    scenario.operator.kill()
    scenario.world.server.delete(resources.DEPLOYMENTS, key, actor=PERSON)
    patch = {"metadata": {"labels": {labels.MODEL: None}}}
    scenario.world.server.merge(resources.AUTOSCALERS, key, patch, PERSON)
    scenario.operator.start()
    scenario.operator.advance(60.0)
    assert set(scenario.floors()) == {scenario.revision("stable")}


@rule("R5", "R23")
def test_autoscaler_without_label_does_not_resize_a_model_of_fixed_size(
    scenario: Scenario,
) -> None:
    scenario.apply(12.0, scaling="auto", strategy="BlueGreen")
    stable = scenario.revision("stable")
    scenario.operator.kill()
    patch = {"metadata": {"labels": {labels.MODEL: None}}}
    key = (KEY[0], f"{KEY[1]}-{stable}")
    scenario.world.server.merge(resources.AUTOSCALERS, key, patch, PERSON)
    scenario.world.apply(specs.spec(scaling="three", strategy="BlueGreen"))
    scenario.operator.start()
    scenario.operator.advance(200.0)
    assert not list(scenario.world.server.all(resources.AUTOSCALERS))
    assert scenario.world.server.get(resources.DEPLOYMENTS, key)["spec"]["replicas"] == 3


@rule("R12", "R18")
def test_removed_candidate_annotation_is_restored_and_the_steps_continue(
    scenario: Scenario,
) -> None:
    scenario.apply(12.0)
    scenario.apply(8.0, version="v2")
    assert scenario.world.status()["weight"] == 25
    patch = {"metadata": {"annotations": {labels.CANDIDATE: None}}}
    scenario.world.server.merge(resources.SERVICES, KEY, patch, PERSON)
    scenario.operator.advance(0.1)
    service = scenario.world.service()
    assert service
    assert service["metadata"]["annotations"][labels.CANDIDATE] == scenario.revision("candidate")
    scenario.operator.advance(30.0)
    assert scenario.world.status()["version"] == "v2"


@rule("R5", "R8")
def test_stable_keeps_its_floor_while_the_traffic_of_a_failed_candidate_returns(
    scenario: Scenario,
) -> None:
    scenario.world.autoscalers.load = 3
    scenario.apply(12.0, scaling="auto")
    scenario.apply(8.0, scaling="auto", version="v2")
    scenario.world.endpoints.lag = 3.0
    for pod in scenario.world.pods(scenario.revision("candidate")):
        scenario.world.kubelet.strike(pod, "crashes")
    scenario.world.autoscalers.load = 1
    scenario.operator.advance(1.0)
    assert scenario.world.status()["phase"] == "RollingBack"
    assert scenario.floors() == {scenario.revision("stable"): 3}
    scenario.operator.advance(60.0)
    assert scenario.floors() == {scenario.revision("stable"): 1}


@rule("R22", "R23")
def test_two_deployments_created_at_once_never_get_the_same_color(scenario: Scenario) -> None:
    scenario.apply(12.0, scaling="auto", steps="fast")
    scenario.apply(5.0, scaling="auto", steps="fast", version="v2")
    stable = scenario.revision("stable")
    scenario.apply(0.1, scaling="auto", steps="fast", version="v3")
    scenario.world.server.delete(
        resources.DEPLOYMENTS, (KEY[0], f"{KEY[1]}-{stable}"), actor=PERSON
    )
    scenario.operator.advance(60.0)
    assert scenario.world.status()["version"] == "v3"


@rule("R10", "R12", "R22")
def test_new_version_follows_the_strategy_of_its_spec(scenario: Scenario) -> None:
    scenario.world.endpoints.lag = 3.0
    scenario.apply(3.0, strategy="Recreate")
    assert scenario.world.status()["phase"] == "Starting"
    scenario.apply(0.1, strategy="Canary")
    scenario.apply(30.0, strategy="Canary", version="v2")
    assert scenario.world.status()["version"] == "v2"


@rule("R10", "R23", "R24")
@pytest.mark.parametrize("part", ["stable", "candidate", "previous"])
def test_deployment_without_its_labels_gets_them_back_and_loses_no_pod(
    scenario: Scenario, part: str
) -> None:
    scenario.apply(12.0, bake="60s")
    scenario.apply(45.0 if part == "previous" else 8.0, bake="60s", version="v2")
    revision = scenario.revision(part)
    key = (KEY[0], f"{KEY[1]}-{revision}")
    pods = {p["metadata"]["name"] for p in scenario.world.pods(revision)}
    patch = {"metadata": {"labels": {labels.MODEL: None}}}
    scenario.world.server.merge(resources.DEPLOYMENTS, key, patch, PERSON)
    scenario.operator.advance(0.5)
    if part == "previous":
        # The bake cannot continue without it; it holds a colour, so the next version finds it.
        scenario.apply(90.0, version="v3")
        assert scenario.world.server.find(resources.DEPLOYMENTS, key) is None
        assert scenario.world.status()["version"] == "v3"
        return
    live = scenario.world.server.get(resources.DEPLOYMENTS, key)
    assert live["metadata"]["labels"][labels.MODEL] == KEY[1]
    assert pods <= {p["metadata"]["name"] for p in scenario.world.pods(revision)}
    scenario.operator.advance(120.0)
    assert scenario.world.status()["version"] == "v2"


@rule("R12", "R14")
def test_route_keeps_its_settings_while_a_change_of_router_is_pending(
    scenario: Scenario,
) -> None:
    scenario.apply(12.0, router="Gateway", steps="fast")
    scenario.apply(5.0, router="Gateway", steps="fast", version="v2")
    assert scenario.world.status()["weight"] == 10
    scenario.apply(4.0, steps="fast", version="v2")
    scenario.operator.advance(120.0)
    assert scenario.world.status()["version"] == "v2"
    route_invariants.arrived(scenario.world, scenario.revision("stable"), "Service")


@rule("R13", "R22")
def test_route_is_created_for_the_candidate_when_stable_never_became_ready(
    scenario: Scenario,
) -> None:
    settings = {"router": "Gateway", "strategy": "Recreate", "scaling": "one"}
    scenario.apply(2.6, **settings)
    for pod in scenario.world.pods():
        scenario.world.kubelet.strike(pod, "crashes")
    scenario.operator.advance(1.0)
    scenario.apply(60.0, version="v2", **settings)
    assert scenario.world.status()["version"] == "v2"
    route_invariants.arrived(scenario.world, scenario.revision("stable"), "Gateway")


@rule("R23")
def test_stable_and_candidate_created_at_once_never_get_the_same_color(
    scenario: Scenario,
) -> None:
    scenario.apply(12.0, router="Gateway")
    scenario.operator.kill()
    name = f"{KEY[1]}-{scenario.revision('stable')}"
    scenario.world.server.delete(resources.DEPLOYMENTS, (KEY[0], name), actor=PERSON)
    patch = {"spec": {"selector": {labels.COLOR: "none"}}}
    scenario.world.server.merge(resources.SERVICES, KEY, patch, PERSON)
    scenario.apply(20.0, router="Gateway", version="v2")
    colors = {
        d["spec"]["template"]["metadata"]["labels"][labels.COLOR]: d["metadata"]["name"]
        for d in scenario.world.server.all(resources.DEPLOYMENTS)
    }
    assert len(colors) == 2


@rule("R12", "R23")
@pytest.mark.parametrize("strategy", ["Canary", "BlueGreen"])
def test_rollout_whose_route_was_deleted_continues_with_the_router_of_the_spec(
    scenario: Scenario, strategy: str
) -> None:
    scenario.apply(12.0, router="Gateway", steps="fast", strategy=strategy)
    scenario.apply(2.0, router="Gateway", steps="fast", strategy=strategy, version="v2")
    scenario.apply(0.1, steps="fast", strategy=strategy, version="v2")
    scenario.world.server.delete(resources.HTTP_ROUTES, KEY, actor=PERSON)
    scenario.operator.advance(120.0)
    assert scenario.world.status()["version"] == "v2"
    route_invariants.arrived(scenario.world, scenario.revision("stable"), "Service")


class WrittenStatuses:
    """Statuses that the operator writes, with `step` like the bench's: one weight, no bake."""

    def __init__(self, scenario: Scenario, replicas: str = "one") -> None:
        self._scenario, self._replicas = scenario, replicas
        self.writes: list[dict[str, Any]] = []
        scenario.world.server.observers.append(self._see)

    def _see(self, write: Write) -> None:
        if write.actor == OPERATOR and write.resource is resources.MODELS and write.after:
            self.writes.append(write.after["status"])

    def apply(self, version: str, boot: float, seconds: float) -> int:
        """How many while `version`, whose pods take `boot` seconds, is rolled out."""
        scenario, before = self._scenario, len(self.writes)
        scenario.world.kubelet.behaviors[specs.image(version)] = PodBehavior(boot=boot)
        spec = specs.spec(version, scaling=self._replicas, bake="0s")
        spec["rollout"] |= {"steps": [{"weight": 20, "pause": "5s"}], "progressDeadline": "10m"}
        scenario.world.apply(spec)
        scenario.operator.start()
        scenario.operator.advance(seconds)
        return len(self.writes) - before


def test_slow_pods_and_late_endpoints_cause_no_extra_status_writes(scenario: Scenario) -> None:
    # As on a machine that starts a thousand models at once.
    statuses = WrittenStatuses(scenario)
    scenario.world.endpoints.lag = 12.0
    assert statuses.apply("v1", boot=90.0, seconds=150.0) == 2
    assert statuses.apply("v2", boot=90.0, seconds=200.0) == 3
    assert scenario.world.status()["phase"] == "Ready"
    assert scenario.world.status()["version"] == "v2"


def test_counts_of_pods_are_at_most_half_a_minute_old(scenario: Scenario) -> None:
    statuses = WrittenStatuses(scenario, "three")
    assert statuses.apply("v1", boot=40.0, seconds=0.1) == 1
    # Two of three are ready from the 41st second on, and nothing names why the third is not.
    scenario.world.kubelet.strike(scenario.world.pods()[0], "never ready")
    scenario.operator.advance(55.0)
    assert scenario.world.status()["readyReplicas"] == 0
    scenario.operator.advance(4.0)
    assert scenario.world.status()["phase"] == "Starting"
    assert len(statuses.writes) == 1
    scenario.operator.advance(16.0)
    assert scenario.world.status()["readyReplicas"] == 2
    assert len(statuses.writes) == 2


@rule("R22", "R25")
def test_finished_pod_does_not_delay_the_version_that_replaces_it(
    scenario: Scenario,
) -> None:
    """A ReplicaSet does not delete a Failed pod, not even when it is scaled to nothing."""
    scenario.apply(12.0, strategy="Recreate", scaling="one")
    scenario.world.kubelet.fail(scenario.world.pods(scenario.revision("stable"))[0])
    scenario.operator.advance(5.0)
    scenario.apply(60.0, strategy="Recreate", scaling="one", version="v2")
    assert scenario.world.status()["phase"] == "Ready"
    assert scenario.world.status()["version"] == "v2"


@rule("R23")
def test_finished_pod_keeps_no_color(scenario: Scenario) -> None:
    """It has no owner any more, so it outlives its Deployment."""
    scenario.apply(12.0)
    scenario.apply(5.0, version="v2")
    ended = scenario.world.pods(scenario.revision("candidate"))[0]
    scenario.world.kubelet.fail(ended)
    patch = {"metadata": {"ownerReferences": None}}
    key = (KEY[0], ended["metadata"]["name"])
    scenario.world.server.merge(resources.PODS, key, patch, PERSON)
    scenario.apply(60.0)
    scenario.apply(120.0, version="v3")
    assert scenario.world.status()["version"] == "v3"


@rule("R25")
def test_rebooting_nodes_do_not_fail_the_baking_version(
    scenario: Scenario,
) -> None:
    scenario.apply(12.0)
    scenario.apply(35.0, version="v2")
    assert scenario.world.status()["phase"] == "Baking"
    for node in scenario.world.kubelet.nodes:
        scenario.world.kubelet.reboot(node)
    scenario.operator.advance(60.0)
    assert scenario.world.status()["phase"] == "Ready"
    assert scenario.world.status()["version"] == "v2"


@rule("R22", "R23")
def test_stable_without_its_labels_is_scaled_down_for_its_replacement(
    scenario: Scenario,
) -> None:
    scenario.apply(12.0, strategy="Recreate")
    name = f"{KEY[1]}-{scenario.revision('stable')}"
    scenario.operator.kill()
    patch = {"metadata": {"labels": {labels.MODEL: None}}}
    scenario.world.server.merge(resources.DEPLOYMENTS, (KEY[0], name), patch, PERSON)
    scenario.apply(60.0, strategy="Recreate", version="v2")
    assert scenario.world.status()["version"] == "v2"


@rule("R23")
def test_deployment_with_the_selector_of_an_earlier_operator_is_not_written(
    scenario: Scenario, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The API server would reject another one: a selector is immutable."""

    def earlier(*arguments: Any) -> dict[str, Any]:
        manifest = deployment(*arguments)
        del manifest["spec"]["selector"]["matchLabels"][labels.COLOR]
        return manifest

    deployment = workload.deployment
    with monkeypatch.context() as patch:
        patch.setattr(workload, "deployment", earlier)
        scenario.apply(30.0)
    scenario.operator.kill()
    writes = scenario.checks.writes
    scenario.operator.start()
    scenario.operator.advance(30.0)
    assert scenario.checks.writes == writes


@rule("R5", "R12")
def test_version_that_returns_has_the_strategy_of_the_spec_not_that_of_its_earlier_rollout(
    scenario: Scenario,
) -> None:
    scenario.apply(12.0, strategy="Recreate")
    scenario.apply(5.0, strategy="Recreate", version="v2")
    scenario.apply(0.1, strategy="Canary", version="v2")
    scenario.apply(3.0, strategy="Canary", version="v1")
    scenario.apply(0.1, strategy="Canary", version="v2")
    scenario.operator.advance(30.0)
    assert not scenario.checks.violations
