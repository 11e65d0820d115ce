"""Rollouts that wait at a pause, and what may happen to them meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from canarium.api.status import Status
from canarium.core.facts.traffic_record import TrafficRecord
from core.cluster import Cluster, computed_once, gateway_spec, spec

Steps = list[dict[str, Any]]
Make = Callable[..., dict[str, Any]]
MAKES = pytest.mark.parametrize("make", [spec, gateway_spec], ids=["Service", "Gateway"])
MANUAL_25 = [{"weight": 25, "pause": "Manual"}]
BOTH_PHASES = pytest.mark.parametrize("at", ["rolling", "steady"])


def steps(*pairs: tuple[int, str]) -> Steps:
    return [{"weight": weight, "pause": pause} for weight, pause in pairs]


def rollout(list_of: Steps | None, **more: Any) -> dict[str, Any]:
    return {**({"steps": list_of} if list_of is not None else {}), "bakeTime": "5m", **more}


@computed_once
def rolling(make: Make, list_of: Steps, seconds: float = 20, **more: Any) -> Cluster:
    """Version 1 is stable, and version 2 is so long on its way."""
    cluster = Cluster(make("1", rollout=rollout(list_of), **more)).run(10)
    cluster.spec = make("2", rollout=rollout(list_of), **more)
    return cluster.run(seconds)


def edited(cluster: Cluster, make: Make, changed: dict[str, Any], **more: Any) -> Cluster:
    cluster.spec = make("2", **more, rollout=changed)
    return cluster.run(60)


def order(cluster: Cluster, command: str, token: str = "one") -> Cluster:
    cluster.annotations = {command: f"{cluster.revision('2')}/{token}"}
    return cluster.settle()


def lose(cluster: Cluster) -> Cluster:
    cluster.status = Status()
    return cluster


def record(cluster: Cluster) -> TrafficRecord:
    traffic_object = cluster.route or cluster.service
    assert traffic_object is not None
    return traffic_object.traffic


def stands(cluster: Cluster, weight: int) -> None:
    """Version 2 stands at `weight` and waits for an order."""
    progress = cluster.status.progress
    assert progress is not None, cluster.status.message
    assert progress.weight == weight, cluster.status.message
    assert cluster.version(record(cluster).stable) == "1", cluster.status.message
    assert cluster.status.waiting_for is not None
    assert cluster.status.waiting_for.reason == "Manual", cluster.status.message
    if cluster.route:
        assert cluster.route.weight(cluster.revision("2")) == weight


def promoted(cluster: Cluster) -> bool:
    return cluster.version(record(cluster).stable) == "2"
