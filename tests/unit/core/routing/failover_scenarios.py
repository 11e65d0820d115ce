"""Outages of versions, and who serves meanwhile."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from canarium.core.facts.pods import Container
from core.cluster import Cluster, gateway_spec, spec

BOTH = pytest.mark.parametrize("make", [spec, gateway_spec])
MANUAL = {"steps": [{"weight": 10, "pause": "Manual"}], "bakeTime": "20s", "scaleDownDelay": "1s"}


def rollout(make: Any, version: str, asked: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**make(version), "rollout": asked, **more}


def answering(cluster: Cluster) -> set[str]:
    """Versions whose ready pods callers are led to, by the route and inside the cluster."""
    ready = {cluster.version(p.revision) for p in cluster.pods if p.serves}
    inside = set(cluster.serving())
    if cluster.route is None:
        return inside
    led = {version for version, weight in cluster.weights().items() if weight}
    assert bool(led & ready) == bool(inside), (led, inside)
    return led & ready


def unready(cluster: Cluster, version: str) -> Cluster:
    """The readiness of all pods of a version fails while their servers run."""
    runs = (Container("server", started=cluster.now - 5),)
    cluster.pods = [
        replace(p, ready=False, ready_changed=cluster.now, containers=runs)
        if cluster.version(p.revision) == version
        else p
        for p in cluster.pods
    ]
    return cluster


def delete_pods(cluster: Cluster, version: str) -> Cluster:
    """A user deletes all pods of a version; its Deployment creates new ones."""
    cluster.pods = [
        replace(
            p,
            terminating=True,
            ready=False,
            ready_changed=cluster.now,
            terminates_by=cluster.now + 1,
        )
        if cluster.version(p.revision) == version
        else p
        for p in cluster.pods
    ]
    cluster.dying |= {p.name: cluster.now + 1 for p in cluster.pods if p.terminating}
    return cluster


def moves(cluster: Cluster) -> list[str]:
    return [e.reason for e in cluster.events if e.reason in ("StandbyServing", "StableRecovered")]
