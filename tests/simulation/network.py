"""The network between the operator and its cluster, as rules for the adversary."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st
from hypothesis.stateful import rule

from canarium.kube import resources
from simulation.client import WRITE_FAULTS
from simulation.clock import VirtualLoop
from simulation.frame import SHORT
from simulation.invariants import Invariants
from simulation.operators import Operating, Operator
from simulation.server import KINDS
from simulation.world import World

WATCHED = st.sampled_from([kind for kind in KINDS if kind is not resources.EVENTS])


class Network:
    """Faults of a network, for either adversary: requests take time and fail, watches are late,
    doubled, cut and expired."""

    form = "engine"
    loop: VirtualLoop
    world: World
    checks: Invariants
    operator: Operating
    let: Callable[[float], None]

    def make(self) -> Operator:
        # A request and the event of what it did: this much the operator is always behind.
        self.checks.staleness = 1.0
        return Operating(self.loop, self.world)

    def behind(self, seconds: float) -> None:
        self.checks.staleness = max(self.checks.staleness, seconds)

    @rule(faults=st.lists(st.sampled_from((None, *WRITE_FAULTS)), max_size=6), after=SHORT)
    def writes_fail(self, faults: list[str | None], after: float) -> None:
        self.operator.faults.writes[:] = faults
        self.let(after)

    @rule(latency=st.sampled_from((0.0, 0.01, 0.2, 1.0)))
    def requests_take_time(self, latency: float) -> None:
        self.behind(1.0 + 12 * latency)
        self.operator.faults.latency = latency

    @rule(kind=WATCHED, lag=st.sampled_from((0.0, 0.2, 1.0, 5.0)), after=SHORT)
    def events_are_late(self, kind: Any, lag: float, after: float) -> None:
        self.behind(1.0 + 12 * self.operator.faults.latency + 2 * lag)
        self.operator.faults.lag[kind.plural] = lag
        if self.operator.connection:
            self.operator.connection.nudge()
        self.let(after)

    @rule(kind=WATCHED)
    def events_are_doubled(self, kind: Any) -> None:
        self.operator.faults.double.add(kind.plural)

    @rule(kind=WATCHED, expired=st.booleans(), after=SHORT)
    def watch_is_cut(self, kind: Any, expired: bool, after: float) -> None:
        # Reconnecting waits longer each time, up to half a minute.
        self.behind(45.0)
        if expired:
            self.world.server.compact(kind)
        if self.operator.connection:
            self.operator.connection.cut(kind)
        self.let(after)

    def close(self) -> None:
        self.operator.close()
        self.loop.close()
