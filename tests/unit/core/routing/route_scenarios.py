"""Models behind a Gateway, at a weight."""

from __future__ import annotations

from typing import Any

from canarium.api.status import Condition
from core.cluster import Cluster, gateway_spec

STEPS = [{"weight": 25, "pause": "10s"}, {"weight": 50, "pause": "10s"}]


def live(version: str = "1", **extra: Any) -> Cluster:
    """A model behind a Gateway where `version` has been promoted."""
    return Cluster(gateway_spec(version, **extra)).run(10)


def condition(cluster: Cluster, kind: str = "RouteAccepted") -> Condition:
    return next(c for c in cluster.status.conditions if c.type == kind)


def until(cluster: Cluster, weight: int) -> Cluster:
    """Runs until the candidate has `weight`."""
    for _ in range(200):
        if cluster.status.weight == weight:
            return cluster
        cluster.run(0.5)
    raise AssertionError(cluster.status.message)
