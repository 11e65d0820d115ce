"""Which Deployments have a PodDisruptionBudget, from the first version to the last."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from canarium.core.facts.object_ref import ObjectRef
from canarium.core.facts.observed import Observed
from core.api_answers import QUOTA, forbidden, over_quota
from core.cluster import Cluster, spec

rule = pytest.mark.rule


def model(version: str, replicas: int = 3, **extra: Any) -> dict[str, Any]:
    return spec(version, scaling={"replicas": replicas}, **extra)


@rule("R32")
def test_every_deployment_of_two_replicas_has_a_budget_during_a_rollout() -> None:
    cluster = Cluster(model("1", 2)).run(20)
    assert set(cluster.budgets) == {cluster.revision("1")}
    cluster.spec = model("2", 2, rollout={"steps": [{"weight": 50, "pause": "Manual"}]})
    cluster.run(20)
    assert set(cluster.serving()) == {"1", "2"}
    assert set(cluster.budgets) == {cluster.revision("1"), cluster.revision("2")}


@rule("R32")
def test_single_replica_has_no_budget_and_costs_no_write() -> None:
    cluster = Cluster(model("1", 1)).run(20)
    assert cluster.budgets == {}


@rule("R32")
def test_budget_is_created_when_a_model_is_scaled_up_and_stays_when_it_is_scaled_down() -> None:
    cluster = Cluster(model("1", 1)).run(20)
    cluster.spec = model("1", 2)
    cluster.run(10)
    assert set(cluster.budgets) == {cluster.revision("1")}
    writes = cluster.writes
    for replicas in (1, 0, 1):
        cluster.spec = model("1", replicas)
        cluster.run(10)
        assert set(cluster.budgets) == {cluster.revision("1")}
    # A scale and a status or two for each change, and nothing for the budget.
    assert cluster.writes - writes <= 3 * 3


@rule("R32")
def test_autoscaled_model_that_may_have_two_replicas_has_a_budget() -> None:
    cluster = Cluster(spec("1", scaling={"minReplicas": 1, "maxReplicas": 4})).run(20)
    assert set(cluster.budgets) == {cluster.revision("1")}


@rule("R32")
def test_budget_is_deleted_when_it_is_switched_off_and_created_again() -> None:
    cluster = Cluster(model("1")).run(20)
    cluster.spec = model("1", podDisruptionBudget={"enabled": False})
    cluster.run(5)
    assert cluster.budgets == {}
    cluster.spec = model("1", podDisruptionBudget={"maxUnavailable": "25%"})
    cluster.run(5)
    assert set(cluster.budgets) == {cluster.revision("1")}


@rule("R32")
@pytest.mark.parametrize("strategy", ["BlueGreen", "Recreate"])
def test_version_that_is_kept_warm_and_one_that_replaces_another_have_budgets(
    strategy: str,
) -> None:
    rollout = {"strategy": strategy, "bakeTime": "1h"}
    cluster = Cluster(model("1", rollout=rollout)).run(20)
    cluster.spec = model("2", rollout=rollout)
    cluster.run(40)
    assert cluster.status.version == "2"
    assert set(cluster.budgets) == set(cluster.deployments)
    assert cluster.revision("2") in cluster.budgets


class Facts(Cluster):
    """A cluster with other facts about budgets."""

    facts: dict[str, Any]

    def observed(self) -> Observed:
        return replace(super().observed(), **self.facts)


def with_facts(**facts: Any) -> Facts:
    cluster = Facts(model("1"))
    cluster.facts = facts
    return cluster


@rule("R32")
def test_version_with_a_budget_of_another_owner_gets_no_second_one() -> None:
    cluster = with_facts()
    cluster.run(20)
    assert set(cluster.budgets) == {cluster.revision("1")}
    cluster.facts = {"with_other_budget": frozenset(cluster.deployments)}
    cluster.run(5)
    assert cluster.budgets == {}
    cluster.facts = {}
    cluster.run(5)
    assert set(cluster.budgets) == {cluster.revision("1")}


@rule("R32")
def test_no_budget_is_created_where_those_of_others_cannot_be_listed() -> None:
    cluster = with_facts(disruption_budgets=None)
    cluster.run(20)
    assert cluster.status.phase == "Ready"
    assert cluster.budgets == {}


@rule("R32")
def test_budget_whose_limit_another_client_replaced_is_created_again() -> None:
    cluster = Cluster(model("1")).run(20)
    revision = cluster.revision("1")
    cluster.budgets[revision] = replace(cluster.budgets[revision], uid="same", has_minimum=True)
    cluster.run(5)
    assert cluster.budgets[revision].uid != "same"
    assert not cluster.budgets[revision].has_minimum


@rule("R29", "R32")
def test_rejected_budget_is_reported_and_stops_neither_the_first_nor_the_next_version() -> None:
    rejection = over_quota(ObjectRef("PodDisruptionBudget", "m-x"))
    for conflict in (False, True):
        cluster = with_facts(rejections=(replace(rejection, conflict=conflict),))
        cluster.run(20)
        assert cluster.status.phase == "Ready"
        assert QUOTA in cluster.status.message
        assert [r.object for r in cluster.status.rejected_writes or ()] == [
            rejection.object.status_text
        ]
        cluster.spec = model("2")
        cluster.run(100)
        assert cluster.serving() == {"2": 3}


@rule("R32")
def test_rejected_budget_is_not_requested_again_until_it_is_due() -> None:
    cluster = with_facts()
    cluster.run(20)
    (deployment,) = cluster.deployments.values()
    cluster.budgets.clear()
    rejection = forbidden(ObjectRef("PodDisruptionBudget", deployment.name))
    cluster.facts = {"rejections": (rejection,)}
    cluster.run(2)
    writes = cluster.writes
    cluster.run(20)
    assert (cluster.writes, cluster.budgets) == (writes, {})
    cluster.facts = {}
    cluster.run(2)
    assert set(cluster.budgets) == {deployment.revision}
