"""Whether quotas and nodes have room for more pods."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Raw = Mapping[str, Any]
_QUANTITY = re.compile(r"^([0-9.]+)([a-zA-Z]*)$")
_UNITS = {
    "": 1.0, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15,
    "Ki": 2.0**10, "Mi": 2.0**20, "Gi": 2.0**30, "Ti": 2.0**40, "Pi": 2.0**50,
}  # fmt: skip


def quantity(text: Any) -> float:
    """The number that a Kubernetes quantity stands for; 0 for one that is not readable."""
    found = _QUANTITY.match(str(text))
    return float(found[1]) * _UNITS.get(found[2], 1.0) if found else 0.0


def requests(pod: Raw, kind: str = "requests") -> dict[str, float]:
    """The resources that a pod spec reserves: of its containers together, or of its largest init
    container."""
    total: dict[str, float] = {}
    for container in pod.get("containers") or ():
        for name, value in _asked(container, kind).items():
            total[name] = total.get(name, 0.0) + quantity(value)
    for container in pod.get("initContainers") or ():
        for name, value in _asked(container, kind).items():
            total[name] = max(total.get(name, 0.0), quantity(value))
    return total


def _asked(container: Raw, kind: str) -> Raw:
    resources = container.get("resources") or {}
    # The API server takes an absent request from the limit.
    limits = resources.get("limits") or {}
    return {**limits, **(resources.get("requests") or {})} if kind == "requests" else limits


def exceeded(quotas: Sequence[Raw], pod: Raw, count: int) -> Iterator[str]:
    """Yields the quotas that `count` more of these pods would exceed."""
    asked, limited = requests(pod), requests(pod, "limits")
    needed = {"pods": 1.0, "count/pods": 1.0}
    needed |= {name: value for name, value in asked.items() if name in ("cpu", "memory")}
    needed |= {f"requests.{name}": value for name, value in asked.items()}
    needed |= {f"limits.{name}": value for name, value in limited.items()}
    for quota in quotas:
        spec = quota.get("spec") or {}
        if spec.get("scopes") or spec.get("scopeSelector"):
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

    Considers node selectors, taints and the number of pods of a node; not affinity.
    """
    used: dict[str, dict[str, float]] = {}
    for other in pods:
        if (other.get("status") or {}).get("phase") in ("Succeeded", "Failed"):
            continue
        spec = other.get("spec") or {}
        there = used.setdefault(str(spec.get("nodeName") or ""), {})
        for name, value in (requests(spec) | {"pods": 1.0}).items():
            there[name] = there.get(name, 0.0) + value
    asked = requests(pod) | {"pods": 1.0}
    placed = 0
    for node in nodes:
        if not _takes(node, pod):
            continue
        room = (node.get("status") or {}).get("allocatable") or {}
        taken = used.get(str(node["metadata"]["name"]), {})
        free = [
            (quantity(room.get(name, 0)) - taken.get(name, 0.0)) / value
            for name, value in asked.items()
            if value > 0
        ]
        placed += max(0, int(min(free, default=0.0) + 1e-9))
    return min(placed, count)


def _takes(node: Raw, pod: Raw) -> bool:
    """Whether a node is ready for such pods."""
    spec, labels = node.get("spec") or {}, node["metadata"].get("labels") or {}
    conditions = (node.get("status") or {}).get("conditions") or ()
    ready = any(c.get("type") == "Ready" and c.get("status") == "True" for c in conditions)
    selected = all(labels.get(k) == v for k, v in (pod.get("nodeSelector") or {}).items())
    taints = [t for t in spec.get("taints") or () if t.get("effect") != "PreferNoSchedule"]
    tolerations = pod.get("tolerations") or ()
    tolerated = all(any(_tolerates(x, taint) for x in tolerations) for taint in taints)
    return ready and selected and tolerated and not spec.get("unschedulable")


def _tolerates(toleration: Raw, taint: Raw) -> bool:
    if toleration.get("effect") not in (None, "", taint.get("effect")):
        return False
    if toleration.get("operator") == "Exists":
        return toleration.get("key") in (None, "", taint.get("key"))
    same = toleration.get("key") == taint.get("key")
    return same and (toleration.get("value") or "") == (taint.get("value") or "")
