"""All PodDisruptionBudgets in the cache: which pods have one, and which models a change wakes."""

from __future__ import annotations

from typing import Any

import pytest

from canarium.core.facts.observed import Observed
from canarium.engine.cache.store import Key, Store
from canarium.engine.queue import Urgency
from canarium.kube import resources
from canarium.render import labels

rule = pytest.mark.rule
KEY = ("risk", "fraud")
POD = {"app": "scoring", **labels.of("fraud", "r"), labels.COLOR: "blue"}


class Woken(list[Key]):
    def __call__(self, key: Key, urgency: Urgency) -> None:
        self.append(key)


def budget(name: str, version: int, selector: Any, **meta: Any) -> dict[str, Any]:
    own = {"namespace": "risk", "name": name, "uid": f"u-{name}", "resourceVersion": str(version)}
    return {
        "kind": "PodDisruptionBudget",
        "metadata": {**own, **meta},
        "spec": {"maxUnavailable": 1, "selector": selector},
    }


def ours(version: int = 5, owner: str | None = "u-deployment") -> dict[str, Any]:
    owners = [{"kind": "Deployment", "name": "fraud-r", "uid": owner, "controller": True}]
    return budget(
        "fraud-r",
        version,
        {"matchLabels": {key: POD[key] for key in (labels.MODEL, labels.REVISION, labels.COLOR)}},
        labels=labels.of("fraud", "r"),
        **({"ownerReferences": owners} if owner else {}),
    )


@pytest.fixture
def woken() -> Woken:
    return Woken()


@pytest.fixture
def store(woken: Woken) -> Store:
    """A model with a Deployment, once everything has been listed."""
    store = Store(woken)
    for name, namespace in (("fraud", "risk"), ("fraud", "shop"), ("other", "risk")):
        meta = {"namespace": namespace, "name": name, "resourceVersion": "1", "generation": 1}
        store.parents.observe({"metadata": {**meta, "uid": f"{namespace}-{name}"}, "spec": {}})
    meta = {"namespace": "risk", "name": "fraud-r", "uid": "u-deployment", "resourceVersion": "2"}
    owners = [{"kind": "ModelDeployment", "name": "fraud", "uid": "risk-fraud", "controller": True}]
    marks = labels.of("fraud", "r")
    template = {"metadata": {"labels": POD}, "spec": {"containers": []}}
    store.caches[resources.DEPLOYMENTS].observe(
        {
            "metadata": {**meta, "labels": marks, "ownerReferences": owners},
            "spec": {"replicas": 2, "template": template},
        }
    )
    store.budgets.answered(None, None)
    woken.clear()
    return store


def observed(store: Store) -> Observed:
    return store.observed(KEY)


@rule("R32")
@pytest.mark.parametrize(
    "selector",
    [
        {},
        {"matchLabels": {"app": "scoring"}},
        {"matchLabels": {labels.MODEL: "fraud"}},
        {"matchExpressions": [{"key": "app", "operator": "In", "values": ["scoring", "b"]}]},
        {"matchExpressions": [{"key": "app", "operator": "Exists"}]},
        {"matchExpressions": [{"key": "web", "operator": "DoesNotExist"}]},
        {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["b"]}]},
    ],
)
def test_budget_of_another_owner_that_selects_the_pods_is_found(
    store: Store, woken: Woken, selector: dict[str, Any]
) -> None:
    store.budgets.observe(budget("own", 5, selector))
    assert woken == [KEY]
    assert observed(store).with_other_budget == {"r"}
    woken.clear()
    store.budgets.forget("risk", "own", "u-own", 6)
    assert woken == [KEY]
    assert not observed(store).with_other_budget


@rule("R32")
@pytest.mark.parametrize(
    "selector",
    [
        None,
        {"matchLabels": {"app": "web"}},
        {"matchLabels": {labels.MODEL: "fraud", labels.REVISION: "s"}},
        {"matchExpressions": [{"key": "app", "operator": "NotIn", "values": ["scoring"]}]},
        {"matchExpressions": [{"key": "app", "operator": "DoesNotExist"}]},
        {"matchExpressions": [{"key": "app", "operator": "Within", "values": ["scoring"]}]},
    ],
)
def test_budget_of_other_pods_wakes_no_model(
    store: Store, woken: Woken, selector: dict[str, Any] | None
) -> None:
    store.budgets.observe(budget("own", 5, selector))
    assert woken == []
    assert not observed(store).with_other_budget


def test_change_of_nothing_but_the_status_of_a_budget_wakes_no_model(
    store: Store, woken: Woken
) -> None:
    store.budgets.observe(budget("own", 5, {}))
    store.budgets.observe(ours())
    woken.clear()
    for version, body in ((7, budget("own", 7, {})), (8, ours(8))):
        store.budgets.observe({**body, "status": {"currentHealthy": version}})
    assert woken == []


@rule("R32")
def test_budget_of_a_deployment_is_its_own_and_conflicts_with_no_other(store: Store) -> None:
    store.budgets.observe(ours())
    facts = observed(store)
    assert [b.revision for b in facts.disruption_budgets or ()] == ["r"]
    assert not facts.with_other_budget
    store.budgets.forget("risk", "fraud-r", "u-fraud-r", 9)
    assert observed(store).disruption_budgets == ()


@rule("R24", "R32")
@pytest.mark.parametrize(
    ("owner", "manager", "is_other"),
    [
        ("u-deleted", "canarium", True),
        (None, "kubectl", True),
        # Left by a Deployment that was deleted without its dependents.
        (None, "canarium", False),
    ],
)
def test_labeled_budget_that_is_not_of_a_deployment_counts_as_that_of_another_owner(
    store: Store, owner: str | None, manager: str, is_other: bool
) -> None:
    body = ours(owner=owner)
    body["metadata"]["managedFields"] = [{"manager": manager, "fieldsV1": {"f:metadata": {}}}]
    store.budgets.observe(body)
    facts = observed(store)
    assert facts.disruption_budgets == ()
    assert facts.with_other_budget == ({"r"} if is_other else frozenset())


@rule("R23")
def test_budget_that_loses_our_label_is_missing_and_not_one_of_another_owner(store: Store) -> None:
    store.budgets.observe(ours())
    bare = ours(6)
    del bare["metadata"]["labels"]
    store.budgets.observe(bare)
    assert observed(store).disruption_budgets == ()
    assert not observed(store).with_other_budget
    copy = {**bare, "metadata": {**bare["metadata"], "name": "copy", "uid": "u-copy"}}
    store.budgets.observe(copy)
    assert observed(store).with_other_budget == {"r"}
    store.budgets.forget("risk", "copy", "u-copy", 7)
    store.budgets.observe(ours(7))
    assert [b.revision for b in observed(store).disruption_budgets or ()] == ["r"]
    assert not observed(store).with_other_budget


@rule("R32")
def test_budgets_are_unknown_while_they_may_not_be_listed(store: Store, woken: Woken) -> None:
    store.budgets.answered(None, 403)
    assert set(woken) == {("risk", "fraud"), ("shop", "fraud"), ("risk", "other")}
    assert observed(store).disruption_budgets is None
    woken.clear()
    store.budgets.answered(None, 403)
    assert woken == []
    store.budgets.answered(None, None)
    assert observed(store).disruption_budgets == ()


@rule("R31")
def test_number_and_size_of_the_budgets_of_a_namespace_are_bounded(store: Store) -> None:
    for number in range(1_100):
        store.budgets.observe(budget(f"b-{number}", 10 + number, {"matchLabels": {"app": "web"}}))
    store.budgets.observe(budget("long", 5_000, {"matchLabels": {"app": "x" * 5_000}}))
    assert len(store.budgets.items) == 1_000
    shop = budget("own", 6_000, {}) | {}
    shop["metadata"]["namespace"] = "shop"
    store.budgets.observe(shop)
    assert ("shop", "own") in store.budgets.items
    store.budgets.drop("risk")
    assert set(store.budgets.items) == {("shop", "own")}


def test_budgets_of_one_namespace_are_listed_by_themselves(store: Store, woken: Woken) -> None:
    single = Store(woken)
    single.budgets.answered("risk", None)
    assert single.budgets.is_readable("risk")
    assert not single.budgets.is_readable("shop")
