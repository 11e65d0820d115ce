"""Whether quotas and nodes have room for more pods."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from canarium_cli.planning.matching import admits, concerns

Raw = Mapping[str, Any]
_QUANTITY = re.compile(r"^([0-9.]+)([a-zA-Z]*)$")
_UNITS = {
    "": 1.0, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50,
}  # fmt: skip


def quantity(text: Any) -> float:
    """The number that a Kubernetes quantity stands for; 0 for one that is not readable."""
    match = _QUANTITY.match(str(text))
    return float(match[1]) * _UNITS.get(match[2], 1.0) if match else 0.0


def requests(pod: Raw, kind: str = "requests") -> dict[str, float]:
    """The resources that a pod spec reserves, with its overhead: of its containers and sidecars
    together, or of an init container and the sidecars before it, if that is more
    (https://kubernetes.io/docs/concepts/workloads/pods/sidecar-containers/#resource-sharing-within-containers).
    """
    together: dict[str, float] = {}
    for container in pod.get("containers") or ():
        _add(together, _requested(container, kind))
    sidecars: dict[str, float] = {}
    first: dict[str, float] = {}
    for container in pod.get("initContainers") or ():
        if container.get("restartPolicy") == "Always":
            _add(sidecars, _requested(container, kind))
            _add(together, _requested(container, kind))
            continue
        own = dict(sidecars)
        _add(own, _requested(container, kind))
        first = {name: max(first.get(name, 0.0), own.get(name, 0.0)) for name in {*first, *own}}
    total = {x: max(together.get(x, 0.0), first.get(x, 0.0)) for x in {*together, *first}}
    _add(total, pod.get("overhead") or {})
    return total


def _add(total: dict[str, float], more: Raw) -> None:
    for name, value in more.items():
        total[name] = total.get(name, 0.0) + quantity(value)


def _requested(container: Raw, kind: str) -> Raw:
    resources = container.get("resources") or {}
    # The API server takes an absent request from the limit.
    limits = resources.get("limits") or {}
    return {**limits, **(resources.get("requests") or {})} if kind == "requests" else limits


def exceeded(quotas: Sequence[Raw], pod: Raw, count: int) -> Iterator[str]:
    """Yields the quotas that `count` more of these pods would exceed."""
    requested, limited = requests(pod), requests(pod, "limits")
    needed = {"pods": 1.0, "count/pods": 1.0}
    needed |= {name: value for name, value in requested.items() if name in ("cpu", "memory")}
    needed |= {f"requests.{name}": value for name, value in requested.items()}
    needed |= {f"limits.{name}": value for name, value in limited.items()}
    for quota in quotas:
        if not concerns(quota, pod):
            continue
        status = quota.get("status") or {}
        hard, used = status.get("hard") or {}, status.get("used") or {}
        for name, most in hard.items():
            more = needed.get(name, 0.0) * count
            free = quantity(most) - quantity(used.get(name, 0))
            if more > free + 1e-9:
                yield (
                    f"ResourceQuota/{quota['metadata']['name']} has {free:g} of {name} left, and "
                    f"{count} more pods need {more:g}: raise the quota, or lower the requests."
                )


def fitting(nodes: Sequence[Raw], pods: Sequence[Raw], pod: Raw, count: int) -> int:
    """Returns how many of `count` more pods the nodes have room for, by their requests.

    Considers node selectors, required node affinity, taints and the number of pods of a node; not
    affinity between pods, topology spread, volumes and host ports.
    """
    used: dict[str, dict[str, float]] = {}
    for other in pods:
        if (other.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            continue
        spec = other.get("spec") or {}
        there = used.setdefault(str(spec.get("nodeName") or ""), {})
        for name, value in (requests(spec) | {"pods": 1.0}).items():
            there[name] = there.get(name, 0.0) + value
    requested = requests(pod) | {"pods": 1.0}
    placed = 0
    for node in nodes:
        if not admits(node, pod):
            continue
        room = (node.get("status") or {}).get("allocatable") or {}
        used_here = used.get(str(node["metadata"]["name"]), {})
        free = [
            (quantity(room.get(name, 0)) - used_here.get(name, 0.0)) / value
            for name, value in requested.items()
            if value > 0
        ]
        placed += max(0, int(min(free, default=0.0) + 1e-9))
    return min(placed, count)
