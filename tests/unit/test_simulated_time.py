"""The simulated cluster leaves out no instant at which something changes.

`Cluster.run` skips the instants before `_next_event`, which has to name every moment at which pods,
endpoints and gateways change by themselves. Each story is run a second time with all instants.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self

import pytest

from canarium.api.status import Status
from canarium.core.decision import plan as p
from canarium.simulation import cluster
from core.cluster import gateway_spec, spec

RECREATE = {"rollout": {"strategy": "Recreate", "bakeTime": "20s"}}
FETCHED = {"model": {"version": "2", "uri": "s3://models/2"}}


@dataclass
class Cluster(cluster.Cluster):
    """A cluster with times that differ from all others, and that keeps what changes in it."""

    boot: float = 7.0
    grace: float = 3.0
    lag: float = 2.0
    #: The statuses, and the pods with whether they are ready, each since when.
    statuses: list[tuple[float, Status]] = field(default_factory=list)
    populations: list[tuple[float, Any]] = field(default_factory=list)
    decisions: int = 0

    def reconcile(self) -> p.Plan:
        decision = super().reconcile()
        self.decisions += 1
        if not self.statuses or self.statuses[-1][1] != self.status:
            self.statuses.append((self.now, self.status))
        return decision

    def _live(self) -> None:
        super()._live()
        pods = [(pod.name, pod.ready, pod.terminating, pod.artifact) for pod in self.pods]
        if not self.populations or self.populations[-1][1] != pods:
            self.populations.append((self.now, pods))

    def change(self, **fields: Any) -> Self:
        """Sets fields, such as the spec."""
        vars(self).update(fields)
        return self


class Complete(Cluster):
    """A cluster that leaves no instant out."""

    def _next_event(self) -> float:
        return self.now


def service(start: Cluster) -> Cluster:
    return start.run(30).change(spec=spec("2", **FETCHED)).run(120)


def gateway(start: Cluster) -> Cluster:
    start.spec = gateway_spec("1")
    return start.run(40).change(spec=gateway_spec("2")).run(120)


def silent_gateway(start: Cluster) -> Cluster:
    start.spec = gateway_spec("1")
    start.run(40).change(spec=gateway_spec("2"), gateways_silent=True).run(50)
    return start.change(gateways_silent=False).run(80)


def recreate(start: Cluster) -> Cluster:
    start.spec = spec("1", **RECREATE)
    return start.run(30).change(spec=spec("2", **RECREATE)).run(90)


def quota(start: Cluster) -> Cluster:
    start.quota = 4
    start.run(30).change(spec=spec("2")).run(60)
    return start.change(quota=None).run(90)


def crash(start: Cluster) -> Cluster:
    start.run(30).change(spec=spec("2")).run(25)
    return start.crash("2").run(60)


def broken_from_the_start(start: Cluster) -> Cluster:
    start.broken = {"2"}
    return start.run(30).change(spec=spec("2", **FETCHED)).run(60)


STORIES = [service, gateway, silent_gateway, recreate, quota, crash, broken_from_the_start]


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.__name__)
def test_run_without_idle_instants_has_the_same_course_as_one_with_all(
    story: Callable[[Cluster], Cluster],
) -> None:
    skipping, complete = story(Cluster(spec("1"))), story(Complete(spec("1")))
    assert skipping.statuses == complete.statuses
    assert skipping.populations == complete.populations
    assert skipping.routed == complete.routed
    assert skipping.deleted == complete.deleted
    assert skipping.events == complete.events
    assert (skipping.writes, skipping.decisions) == (complete.writes, complete.decisions)
    assert len(skipping.shares) < len(complete.shares), "instants are left out"
