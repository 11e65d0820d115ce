"""The PodDisruptionBudget of a revision, and what a spec may ask of it."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from canarium.api.disruption_budget import DisruptionBudget, effective_max_unavailable
from canarium.render import workload

rule = pytest.mark.rule
PARENT = {"metadata": {"name": "fraud", "namespace": "risk", "uid": "m"}}


@rule("R2", "R32")
def test_budget_selects_what_its_deployment_selects_and_is_deleted_with_it() -> None:
    deployment = workload.deployment(PARENT, "rev", "blue", {"spec": {"containers": []}})
    budget = workload.disruption_budget(PARENT, "rev", "blue", "d", 1)
    assert budget["spec"] == {
        "maxUnavailable": 1,
        "unhealthyPodEvictionPolicy": "AlwaysAllow",
        "selector": deployment["spec"]["selector"],
    }
    assert budget["metadata"]["name"] == deployment["metadata"]["name"]
    (owner,) = budget["metadata"]["ownerReferences"]
    assert (owner["kind"], owner["name"], owner["uid"]) == ("Deployment", "fraud-rev", "d")
    # Blocking the deletion of a Deployment requires a right that the operator does not have.
    assert "blockOwnerDeletion" not in owner


@pytest.mark.parametrize(
    ("budget", "limit"),
    [
        (None, 1),
        ({}, 1),
        ({"enabled": True}, 1),
        ({"maxUnavailable": 3}, 3),
        ({"maxUnavailable": "25%"}, "25%"),
        ({"maxUnavailable": "100%"}, "100%"),
        ({"enabled": False, "maxUnavailable": 3}, None),
    ],
)
def test_limit_is_one_pod_unless_the_spec_sets_another(
    budget: dict[str, Any] | None, limit: int | str | None
) -> None:
    if budget is not None:
        DisruptionBudget.model_validate(budget)
    assert effective_max_unavailable(budget) == limit


@rule("R21", "R32")
@pytest.mark.parametrize("limit", [0, -1, "0%", "101%", "25", "a%", 10_001, 1.5])
def test_limit_that_permits_no_eviction_or_is_not_valid_is_refused(limit: object) -> None:
    with pytest.raises(ValidationError):
        DisruptionBudget.model_validate({"maxUnavailable": limit})
