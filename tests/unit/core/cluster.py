"""The simulated cluster of `canarium.simulation` and its specs, which tests of decisions use.

Most tests begin alike: a first version becomes ready, then a second one is on its way. The state of
a cluster depends on its fields and on the arguments of its runs alone, so such a beginning is
computed once, and each test gets a copy.
"""

from __future__ import annotations

import pickle
from collections.abc import Callable
from dataclasses import replace
from functools import wraps
from typing import Any, ParamSpec, Self

from canarium.core.facts.observed import Service
from canarium.simulation import cluster

P = ParamSpec("P")
#: States after first runs by the states before them, pickled, so that no test changes another's.
_FIRST_RUNS: dict[bytes, bytes] = {}
#: Whether beginnings are reused. `core.message_log` records each decision with its test, so it
#: switches this off.
reuse = True


class Cluster(cluster.Cluster):
    """A cluster whose first run is that of an earlier test, if both have the same fields."""

    def run(self, seconds: float, tick: float = 0.5) -> Self:
        if self.writes or not reuse or any(map(callable, vars(self).values())):
            return super().run(seconds, tick)
        before = pickle.dumps((vars(self), seconds, tick))
        if before not in _FIRST_RUNS:
            super().run(seconds, tick)
            _FIRST_RUNS[before] = pickle.dumps(vars(self))
        vars(self).update(pickle.loads(_FIRST_RUNS[before]))
        return self


def computed_once(story: Callable[P, Cluster]) -> Callable[P, Cluster]:
    """Returns `story`, which returns a copy of its earlier result for the same arguments."""
    results: dict[bytes, bytes] = {}

    @wraps(story)
    def copied(*values: P.args, **named: P.kwargs) -> Cluster:
        if not reuse:
            return story(*values, **named)
        key = pickle.dumps((values, sorted(named.items())))
        if key not in results:
            results[key] = pickle.dumps(story(*values, **named))
        copy: Cluster = pickle.loads(results[key])
        return copy

    return copied


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
