"""A live model, run until a phase."""

from __future__ import annotations

from core.cluster import Cluster, spec


def live(version: str = "1", **extra: object) -> Cluster:
    """A cluster where `version` has been promoted."""
    return Cluster(spec(version, **extra)).run(10)


def condition(cluster: Cluster, kind: str) -> str:
    return next(c.status for c in cluster.status.conditions if c.type == kind)
