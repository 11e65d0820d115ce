"""How many pods of a version an eviction may take: `spec.podDisruptionBudget`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field, WithJsonSchema

from canarium.api.base import Part

#: Zero would block the drain of a node until the limit is raised.
_PERCENT = r"^([1-9][0-9]?|100)%$"
_MOST = 10_000
#: As in policy/v1: a number of pods, or a percentage that Kubernetes rounds up.
Unavailable = Annotated[
    Annotated[int, Field(strict=True, ge=1, le=_MOST)] | Annotated[str, Field(pattern=_PERCENT)],
    WithJsonSchema(
        {
            "x-kubernetes-int-or-string": True,
            "pattern": _PERCENT,
            "minimum": 1,
            "maximum": _MOST,
        }
    ),
]


class DisruptionBudget(Part):
    """How many pods of each version may be evicted at a time, as by the drain of a node."""

    enabled: bool | None = Field(
        None,
        description="Whether versions get a PodDisruptionBudget. Default: true, from two replicas "
        "on.",
    )
    max_unavailable: Unavailable | None = Field(
        None,
        description="Most pods of a version that may be unavailable for an eviction to be "
        "permitted: a number, or a percentage such as 25%, which Kubernetes rounds up. "
        "0 is rejected, because no node could be drained. Default: 1.",
    )


def effective_max_unavailable(budget: Any) -> int | str | None:
    """Returns `maxUnavailable` of raw `spec.podDisruptionBudget` with its default; None if the
    budget is switched off."""
    budget = budget or {}
    if budget.get("enabled") is False:
        return None
    limit: int | str = budget.get("maxUnavailable") or 1
    return limit
