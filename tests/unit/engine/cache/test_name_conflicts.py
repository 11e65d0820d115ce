"""Objects that have a name of the model and belong to someone else (R24)."""

from __future__ import annotations

from typing import Any

import pytest

from canarium.core.bookkeeping.adoption import conflicts
from canarium.core.facts.object_ref import ObjectRef
from canarium.core.facts.observed import NameConflict
from canarium.engine.cache.store import Store
from canarium.kube import resources
from canarium.render import labels

rule = pytest.mark.rule
KEY = ("risk", "fraud")
BEING_DELETED = {
    "deletionTimestamp": "2026-01-01T00:00:00Z",
    "finalizers": ["example.com/load-balancer"],
}


def store_with(**meta: Any) -> Store:
    """A model, and a Service of its name with `meta`."""
    store = Store(lambda key, urgency: None)
    own = {"namespace": "risk", "name": "fraud", "resourceVersion": "1", "generation": 1}
    store.parents.observe({"metadata": {**own, "uid": "u-model"}, "spec": {}})
    marks = {labels.MODEL: "fraud"}
    service = {**own, "resourceVersion": "2", "uid": "u-service", "labels": marks, **meta}
    store.caches[resources.SERVICES].observe({"metadata": service, "spec": {"ports": []}})
    store.budgets.answered(None, None)
    return store


@rule("R24")
def test_controller_of_an_object_with_our_name_is_named() -> None:
    owners = [{"kind": "ConfigMap", "name": "shop", "uid": "u", "controller": True}]
    found = store_with(ownerReferences=owners).observed(KEY)
    assert found.name_conflicts == (NameConflict(ObjectRef("Service", "fraud"), "ConfigMap/shop"),)
    assert "Service/fraud (controlled by ConfigMap/shop) exists" in conflicts(found, "fraud")


@rule("R20", "R24")
def test_object_with_our_name_that_is_being_deleted_is_not_offered_for_adoption() -> None:
    found = store_with(**BEING_DELETED).observed(KEY)
    assert found.name_conflicts == (NameConflict(ObjectRef("Service", "fraud")),)
    text = conflicts(found, "fraud")
    assert "is blocked by the finalizer example.com/load-balancer" in text
    assert "annotate" not in text
