"""How many replicas a model has, with every default filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from canarium.api.defaults import MIN_REPLICAS

_CPU_UTILIZATION: Mapping[str, Any] = {
    "type": "Resource",
    "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
}


@dataclass(frozen=True, slots=True)
class EffectiveScaling:
    """A fixed number of replicas, or with `replicas` None the bounds of an autoscaler."""

    replicas: int | None
    min_replicas: int
    max_replicas: int
    #: Metrics and behavior of the autoscaler, as in autoscaling/v2.
    metrics: tuple[Mapping[str, Any], ...] = field(default=(_CPU_UTILIZATION,), compare=False)
    behavior: Mapping[str, Any] | None = field(default=None, compare=False)


def effective_scaling(scaling: Mapping[str, Any] | None) -> EffectiveScaling:
    """Returns raw `spec.scaling` with its defaults."""
    scaling = scaling or {}
    if scaling.get("maxReplicas") is None:
        fixed = 1 if scaling.get("replicas") is None else scaling["replicas"]
        low = high = fixed
    else:
        low = scaling.get("minReplicas")
        fixed, low, high = None, MIN_REPLICAS if low is None else low, scaling["maxReplicas"]
    return EffectiveScaling(
        replicas=fixed,
        min_replicas=low,
        max_replicas=high,
        metrics=tuple(scaling.get("metrics") or (_CPU_UTILIZATION,)),
        behavior=scaling.get("behavior") or None,
    )
