"""Specs for the simulated cluster of `canarium.simulation`, which tests of decisions use."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from canarium.core.facts.observed import Service
from canarium.simulation.cluster import Cluster

__all__ = ["Cluster", "gateway_spec", "recorded", "spec"]


def spec(version: str, **extra: Any) -> dict[str, Any]:
    """A raw spec of three replicas and steps 25, 50 of ten seconds each."""
    return {
        "model": {"version": version},
        "runtime": {"image": f"model:{version}", "readiness": {"path": "/ready"}},
        "scaling": {"replicas": 3},
        "rollout": {
            "steps": [{"weight": 25, "pause": "10s"}, {"weight": 50, "pause": "10s"}],
            "bakeTime": "20s",
        },
        **extra,
    }


def gateway_spec(version: str, **extra: Any) -> dict[str, Any]:
    """The same, behind a Gateway; `gateway` adds to spec.traffic.gateway."""
    asked = {"parentRefs": [{"name": "public"}], **extra.pop("gateway", {})}
    return {**spec(version), "traffic": {"router": "Gateway", "gateway": asked}, **extra}


def recorded(service: Service, **fields: str | None) -> Service:
    """The Service whose traffic record a user has edited."""
    return replace(service, traffic=replace(service.traffic, **fields))
