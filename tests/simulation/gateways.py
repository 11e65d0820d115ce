"""A gateway of the Gateway API: it takes routes a little later, rejects them, or stays silent."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from canarium.kube import resources
from simulation.clock import Clock
from simulation.fields import Object, clone
from simulation.server import Key, Server

GATEWAY: Key = ("ns", "public")
#: Seconds of the past that are kept.
REMEMBERED = 90.0
#: How a gateway may answer.
TAKES, REJECTS, SILENT = "takes", "rejects", "silent"


@dataclass
class Gateways:
    """What its data plane leads to is `led`: percent by backend, of the last route taken."""

    server: Server
    clock: Clock
    answer: str = TAKES
    lag: float = 0.05
    led: dict[str, int] = field(default_factory=dict)
    #: What it led to, and since when; the newest last.
    _past: deque[tuple[float, dict[str, int]]] = field(default_factory=deque)
    _due: dict[tuple[str, int], float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        listener = {"name": "web", "port": 80, "protocol": "HTTP"}
        self.server.create(
            resources.GATEWAYS,
            {
                "metadata": {"namespace": GATEWAY[0], "name": GATEWAY[1]},
                "spec": {"gatewayClassName": "any", "listeners": [listener]},
            },
        )

    def step(self) -> float:
        now, due = self.clock.now(), math.inf
        routes = list(self.server.all(resources.HTTP_ROUTES))
        if not routes:
            self._lead({})
        for route in routes:
            meta = route["metadata"]
            mark = (meta["uid"], meta["generation"])
            if self.answer == SILENT or _answered(route, self.answer):
                continue
            at = self._due.setdefault(mark, now + self.lag)
            if at > now:
                due = min(due, at - now)
                continue
            self._tell(route)
            if self.answer == TAKES:
                self._lead(weights(route))
        return due

    def lately(self, staleness: float) -> list[dict[str, int]]:
        """Its weights at every moment that a stale operator may still see."""
        since = self.clock.now() - staleness
        earlier = [led for at, led in self._past if at < since]
        return [*earlier[-1:], *(led for at, led in self._past if at >= since), self.led]

    def _lead(self, found: dict[str, int]) -> None:
        if found != self.led:
            self.led = found
            self._past.append((self.clock.now(), found))
        while len(self._past) > 1 and self._past[1][0] < self.clock.now() - REMEMBERED:
            self._past.popleft()

    def _tell(self, route: Object) -> None:
        meta = route["metadata"]
        body = {**clone(route), "status": {"parents": [_parent(route, self.answer)]}}
        self.server.put_status(resources.HTTP_ROUTES, (meta["namespace"], meta["name"]), body)


def weights(route: Object | None) -> dict[str, int]:
    """A route's percent by backend, without the model's name before it."""
    if route is None:
        return {}
    model = route["metadata"]["name"]
    refs = route["spec"]["rules"][0]["backendRefs"]
    return {ref["name"].removeprefix(f"{model}-"): ref["weight"] for ref in refs}


def _parent(route: Object, answer: str) -> dict[str, Any]:
    good = answer == TAKES
    conditions = [
        {
            "type": kind,
            "status": "True" if good or kind == "ResolvedRefs" else "False",
            "reason": kind if good or kind == "ResolvedRefs" else "NotAllowedByListeners",
            "observedGeneration": route["metadata"]["generation"],
        }
        for kind in ("Accepted", "ResolvedRefs")
    ]
    return {"parentRef": route["spec"]["parentRefs"][0], "conditions": conditions}


def _answered(route: Object, answer: str) -> bool:
    return (route.get("status") or {}).get("parents") == [_parent(route, answer)]
