"""Routes that are edited, deleted or lost from status are restored (R18, R23)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from canarium.api.route_kind import HTTP_ROUTE, RouteKind
from canarium.core.decision.plan import DeleteRoute
from core.cluster import gateway_spec
from core.routing.route_scenarios import live, until

rule = pytest.mark.rule


@pytest.mark.slow
@rule("R14", "R18")
def test_rollout_has_the_same_result_when_the_operator_dies_at_any_write() -> None:
    whole = live()
    before = whole.writes
    whole.spec = gateway_spec("2")
    whole.run(120)
    for death in range(before, whole.writes):
        cluster = live()
        cluster.spec = gateway_spec("2")
        cluster.die_at = death
        cluster.run(130)
        assert cluster.weights() == {"2": 100}, death
        assert cluster.serving() == {"2": 3}, death
        assert cluster.status.phase == "Ready", death


@rule("R18")
@pytest.mark.parametrize("weight", [25, 50])
def test_lost_status_is_rebuilt_from_the_route(weight: int) -> None:
    cluster = live()
    cluster.spec = gateway_spec("2")
    until(cluster, weight)
    cluster.status = cluster.status.model_validate({})
    cluster.settle()
    assert cluster.weights() == {"1": 100 - weight, "2": weight}
    assert cluster.status.weight == weight
    assert cluster.status.stable is not None
    assert cluster.version(cluster.status.stable.revision) == "1"


@rule("R9", "R18")
def test_quarantine_is_recorded_in_the_write_that_removes_the_traffic() -> None:
    cluster = live()
    cluster.spec = gateway_spec("2")
    until(cluster, 25)
    cluster.crash("2")
    cluster.die_at = cluster.writes + 1
    cluster.reconcile()
    assert cluster.route is not None
    assert cluster.route.traffic.quarantined == cluster.revision("2")
    cluster.heal("2")
    cluster.status = cluster.status.model_validate({})
    cluster.run(60)
    assert cluster.weights() == {"1": 100}
    assert cluster.status.phase == "RolledBack"


@rule("R23")
def test_edited_weights_are_restored() -> None:
    cluster = live()
    cluster.spec = gateway_spec("2")
    until(cluster, 25)
    assert cluster.route is not None
    edited = tuple((name, 100 - weight) for name, weight in cluster.route.weights)
    cluster.route = replace(cluster.route, weights=edited, generation=cluster.route.generation + 1)
    cluster.settle()
    assert cluster.weights() == {"1": 75, "2": 25}


@rule("R18", "R23")
def test_route_deleted_during_a_rollout_is_recreated_with_its_weight() -> None:
    cluster = live()
    cluster.spec = gateway_spec("2")
    until(cluster, 50)
    cluster.route = None
    cluster.run(2)
    assert cluster.weights() == {"1": 50, "2": 50}, "where it stood"
    cluster.run(60)
    assert cluster.weights()["2"] == 100


@rule("R0", "R23")
def test_recreated_route_does_not_lead_to_a_stable_without_pods() -> None:
    cluster = live()
    cluster.spec = gateway_spec("2")
    until(cluster, 25)
    assert cluster.service is not None
    cluster.service = replace(cluster.service, color="")
    cluster.route = None
    cluster.crash("1")
    cluster.annotations["abort"] = f"{cluster.revision('2')}/one"
    cluster.run(1)
    assert cluster.serving() == {"2": 1}


@rule("R12")
def test_route_of_another_group_with_the_same_kind_is_another_router() -> None:
    cluster = live()
    assert cluster.route is not None
    other = RouteKind("policy.linkerd.io", cluster.route.kind.kind)
    assert cluster.status.route is not None
    assert cluster.status.route.route_kind == cluster.route.kind
    cluster.route = replace(cluster.route, kind=other)
    actions = cluster.reconcile().actions
    assert [a.kind for a in actions if isinstance(a, DeleteRoute)] == [other]
    cluster.settle()
    assert cluster.route.kind == HTTP_ROUTE
