"""Rollouts that gates hold, and decisions about them."""

from __future__ import annotations

import copy
from typing import Any

from canarium.api.status import CommandEcho, GateStatus
from core.cluster import Cluster, computed_once, spec


def gate(name: str, before: str, **extra: Any) -> dict[str, Any]:
    return {"name": name, "before": before, "approval": {}, **extra}


RISK = gate("risk", "Weight", weight=50)


def gated(version: str, *gates: dict[str, Any], make: Any = spec, **rollout: Any) -> dict[str, Any]:
    """The spec of a version with these gates."""
    made: dict[str, Any] = copy.deepcopy(make(version))
    made["rollout"] |= {"gates": list(gates), **rollout}
    return made


@computed_once
def rolling(
    *gates: dict[str, Any], seconds: float = 60, make: Any = spec, **rollout: Any
) -> Cluster:
    """Version 1 promoted without gates, version 2 with them on its way for so long."""
    cluster = Cluster(make("1")).run(10)
    cluster.spec = gated("2", *gates, make=make, **rollout)
    return cluster.run(seconds)


def decide(
    cluster: Cluster, command: str, gate: str, version: str = "2", **notes: str
) -> CommandEcho:
    """Decides about a gate of a version, and returns the operator's answer."""
    cluster.annotations |= {
        command: f"{cluster.revision(version)}/{gate}",
        **{f"approval-{key}": value for key, value in notes.items()},
    }
    cluster.settle()
    return next(c for c in cluster.status.commands if (c.command, c.token) == (command, gate))


def state(cluster: Cluster, name: str) -> GateStatus:
    return next(one for one in cluster.status.gates or () if one.name == name)


def reasons(cluster: Cluster) -> list[str]:
    return [event.reason for event in cluster.events]
