"""Router `Gateway` in virtual time: exact weights, and nothing that a gateway has not taken."""

from __future__ import annotations

from dataclasses import replace

import pytest

from canarium.core.facts.weights import pods_needed_by_route
from core.cluster import Cluster, gateway_spec, spec
from core.routing.route_scenarios import STEPS, condition, live, until

rule = pytest.mark.rule


@rule("R2", "R3")
def test_route_leads_to_the_first_version_once_it_is_ready() -> None:
    cluster = Cluster(gateway_spec("1"), gateways_silent=True).run(1)
    assert cluster.route is None
    cluster.run(9)
    assert cluster.serving() == {"1": 3}
    assert condition(cluster, "Ready").status == "False", "before a gateway has taken it"
    cluster.gateways_silent = False
    cluster.run(1)
    assert cluster.weights() == {"1": 100}
    assert cluster.serving() == {"1": 3}
    assert list(cluster.backends) == [cluster.revision("1")]
    assert cluster.status.phase == "Ready"
    assert condition(cluster).status == "True"


@rule("R5", "R14")
@pytest.mark.parametrize(
    ("weight", "stable", "pods"),
    [(0, 4, 1), (1, 4, 1), (25, 4, 1), (26, 4, 2), (50, 3, 2), (99, 3, 3), (100, 3, 3), (10, 0, 1)],
)
def test_capacity_for_a_weight_is_its_share_of_the_pods_of_stable(
    weight: int, stable: int, pods: int
) -> None:
    assert pods_needed_by_route(weight, stable) == pods


@rule("R5", "R6", "R14")
def test_canary_follows_exact_weights_and_is_promoted_in_place() -> None:
    cluster = live()
    cluster.spec = gateway_spec("2")
    until(cluster, 25)
    assert cluster.weights() == {"1": 75, "2": 25}
    assert cluster.observed().ready(cluster.revision("2")) == 1
    until(cluster, 50)
    assert cluster.observed().ready(cluster.revision("2")) == 2
    cluster.run(20)
    pods = {p.name for p in cluster.pods if cluster.version(p.revision) == "2"}
    assert cluster.status.phase == "Baking"
    assert cluster.weights() == {"1": 0, "2": 100}
    assert cluster.serving() == {"2": 3}, "callers inside go with the promotion"
    cluster.run(60)
    assert cluster.weights() == {"2": 100}
    assert list(cluster.backends) == [cluster.revision("2")]
    assert {p.name for p in cluster.pods} == pods


@rule("R0", "R14")
def test_backends_are_swapped_only_while_both_are_ready() -> None:
    cluster = live()
    cluster.spec = gateway_spec("2")
    places: list[tuple[list[str], set[str]]] = []
    for _ in range(400):
        cluster.run(0.5)
        now = list(cluster.weights())
        if not places or places[-1][0] != now:
            pods = {cluster.version(pod.revision) for pod in cluster.pods}
            places.append((now, pods))
    assert [place for place, _ in places] == [["1"], ["1", "2"], ["2", "1"], ["2"]]
    assert places[2][1] == {"1", "2"}


@rule("R6")
def test_weight_takes_effect_once_the_gateway_accepts_it() -> None:
    cluster = live()
    cluster.spec = gateway_spec("2")
    until(cluster, 25)
    cluster.gateways_silent = True
    cluster.run(30)
    status = cluster.status
    assert cluster.weights() == {"1": 50, "2": 50}
    assert status.candidate is not None
    assert status.waiting_for is not None
    assert (status.candidate.weight, status.candidate.effective_weight) == (25, 25)
    assert status.waiting_for.reason == "WaitingForGateway"
    assert "Gateway ns/public" in status.message
    assert condition(cluster).reason == "Pending"
    cluster.gateways_silent = False
    cluster.run(1)
    assert cluster.status.candidate is not None
    assert cluster.status.candidate.effective_weight == 50
    began = cluster.status.progress and cluster.status.progress.step_start_time
    assert began, "the step's time begins when its weight is in effect"


@rule("R8")
def test_pods_of_a_failed_candidate_are_deleted_after_the_gateway_confirms_and_the_delay() -> None:
    cluster = live(rollout={"steps": STEPS, "scaleDownDelay": "15s"})
    cluster.spec = gateway_spec("2", rollout={"steps": STEPS, "scaleDownDelay": "15s"})
    until(cluster, 25)
    cluster.gateways_silent = True
    cluster.crash("2").run(60)
    assert cluster.weights() == {"1": 100, "2": 0}, "traffic first"
    assert cluster.status.phase == "RollingBack"
    assert cluster.deleted == [], "no gateway has taken it"
    cluster.gateways_silent = False
    taken = cluster.now
    cluster.run(40)
    ((at, gone),) = cluster.deleted
    assert gone == cluster.revision("2")
    assert taken + 15 <= at <= taken + 17
    assert cluster.status.phase == "RolledBack"
    assert cluster.weights() == {"1": 100}
    assert list(cluster.backends) == [cluster.revision("1")]


@rule("R8", "R15")
def test_failure_during_the_bake_returns_weights_and_service_traffic() -> None:
    cluster = live()
    cluster.spec = gateway_spec("2")
    until(cluster, 50)
    cluster.run(18)
    assert cluster.status.phase == "Baking"
    cluster.crash("2").run(1)
    assert cluster.weights() == {"1": 100, "2": 0}
    assert cluster.serving() == {"1": 3}
    assert cluster.status.failure is not None


@rule("R12")
def test_change_of_router_waits_until_rollout_and_bake_are_over() -> None:
    cluster = Cluster(spec("1")).run(10)
    cluster.spec = spec("2")
    cluster.run(6)
    cluster.spec = gateway_spec("2")
    cluster.run(6)
    assert cluster.route is None
    assert cluster.serving() == {"1": 3, "2": 1}, "it continues as it began"
    cluster.run(60)
    assert cluster.weights() == {"2": 100}
    assert cluster.status.phase == "Ready"
    assert cluster.status.route is not None


@rule("R2", "R12")
def test_return_to_the_service_router_deletes_the_route() -> None:
    cluster = live()
    cluster.spec = gateway_spec("2")
    until(cluster, 25)
    cluster.spec = spec("2")
    cluster.run(5)
    assert cluster.weights() == {"1": 75, "2": 25}
    cluster.run(120)
    assert cluster.route is None
    assert cluster.backends == {}
    assert cluster.serving() == {"2": 3}
    cluster.spec = spec("3")
    cluster.run(6)
    assert cluster.serving() == {"2": 3, "3": 1}


@rule("R10")
def test_new_spec_during_a_rollout_first_removes_the_old_candidate_from_traffic() -> None:
    cluster = live()
    cluster.spec = gateway_spec("2")
    until(cluster, 25)
    cluster.spec = gateway_spec("3")
    cluster.run(1)
    assert cluster.weights() == {"1": 100, "2": 0}
    until(cluster, 25)
    assert cluster.weights() == {"1": 75, "3": 25}
    assert cluster.deleted[-1][1] == cluster.revision("2")


@rule("R13")
def test_candidate_gets_all_traffic_while_stable_has_no_pod() -> None:
    cluster = live()
    cluster.spec = gateway_spec("2")
    until(cluster, 25)
    cluster.crash("1").run(1)
    assert cluster.weights() == {"1": 0, "2": 100}
    assert cluster.status.weight == 25, "that neither promotes it nor skips its analysis"
    assert cluster.status.candidate
    assert cluster.status.candidate.effective_weight == 100
    cluster.heal("1").run(9)
    assert cluster.weights() == {"1": 0, "2": 100}, "it may fail again at once"
    cluster.run(2)
    assert cluster.weights() == {"1": 50, "2": 50}, "the time of the step continued"


@rule("R0", "R8", "R16", "R23")
def test_abort_keeps_the_candidate_serving_until_stable_is_ready() -> None:
    cluster = live()
    cluster.spec = gateway_spec("2")
    until(cluster, 25)
    cluster.crash("1").run(1)
    revision = cluster.revision("2")
    cluster.annotations["abort"] = f"{revision}/now"
    cluster.run(5)
    assert cluster.weights() == {"1": 0, "2": 100}
    assert cluster.status.waiting_for is not None
    assert cluster.status.waiting_for.reason == "RollbackBlocked"
    del cluster.backends[revision]
    cluster.run(60)
    assert revision in cluster.backends, "what answers has its Service back"
    assert cluster.weights() == {"1": 0, "2": 100}
    cluster.heal("1").run(60)
    assert cluster.weights() == {"1": 100}
    assert cluster.status.phase == "RolledBack"


@rule("R25")
def test_candidate_without_endpoints_has_no_share_until_they_are_back() -> None:
    cluster = live()
    cluster.spec = gateway_spec("2")
    until(cluster, 25)
    revision = cluster.revision("2")
    cluster.pods = [
        replace(p, terminating=True, ready=False, disrupted=True) if p.revision == revision else p
        for p in cluster.pods
    ]
    cluster.dying.update({p.name: cluster.now + 1 for p in cluster.pods if p.terminating})
    cluster.settle()
    assert cluster.weights() == {"1": 100, "2": 0}
    assert cluster.status.failure is None
    cluster.run(4)
    assert cluster.weights() == {"1": 75, "2": 25}


@rule("R22")
@pytest.mark.parametrize("strategy", ["BlueGreen", "Recreate"])
def test_other_strategies_move_all_traffic_at_once(strategy: str) -> None:
    rollout = {"strategy": strategy, "bakeTime": "5s"}
    cluster = live(rollout=rollout)
    cluster.spec = gateway_spec("2", rollout=rollout)
    cluster.run(60)
    assert cluster.weights() == {"2": 100}
    assert cluster.serving() == {"2": 3}
    shares = {tuple(sorted(led.values())) for _, led in cluster.routed}
    assert shares <= {(100,), (0, 100)}


def test_candidate_is_created_while_pods_of_an_older_version_terminate() -> None:
    cluster = live()
    cluster.grace = 120.0
    cluster.spec = gateway_spec("2")
    until(cluster, 25)
    cluster.spec = gateway_spec("3")
    cluster.run(45)
    ending = [p for p in cluster.pods if p.terminating]
    assert {cluster.version(p.revision) for p in ending} == {"2"}
    assert cluster.weights()["3"] > 0


def test_shadow_step_has_no_weight_but_the_candidate_is_reachable() -> None:
    steps = [{"weight": 0, "pause": "10s"}, {"weight": 50, "pause": "10s"}]
    asked = {"mirror": {}}
    cluster = live(rollout={"steps": steps}, gateway=asked)
    cluster.spec = gateway_spec("2", rollout={"steps": steps}, gateway=asked)
    cluster.run(6)
    assert cluster.weights() == {"1": 100, "2": 0}
    assert cluster.route is not None
    assert cluster.route.direct
    assert "weight 0" in cluster.status.message
    until(cluster, 50)
    assert cluster.weights() == {"1": 50, "2": 50}
