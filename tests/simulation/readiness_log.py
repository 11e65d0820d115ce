"""Which pods were ready at which time, as far back as a stale operator may still see."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field

from simulation.world import World, revision_of

_REMEMBERED = 90.0


@dataclass(frozen=True)
class Moment:
    """Ready pods by revision at a time."""

    at: float
    ready: Mapping[str, int]


@dataclass
class ReadinessLog:
    world: World
    _moments: deque[Moment] = field(default_factory=deque)

    def note(self) -> None:
        """Records what is ready now, if that has changed."""
        now = self.world.clock.now()
        ready: dict[str, int] = {}
        for pod in self.world.ready_pods():
            ready[revision_of(pod)] = ready.get(revision_of(pod), 0) + 1
        if not self._moments or self._moments[-1].ready != ready:
            self._moments.append(Moment(now, ready))
        while len(self._moments) > 1 and self._moments[1].at < now - _REMEMBERED:
            self._moments.popleft()

    def lately(self, staleness: float) -> list[Mapping[str, int]]:
        """Returns readiness at every moment that an operator may still see whose knowledge is up to
        `staleness` seconds old."""
        since = self.world.clock.now() - staleness
        found = [m.ready for m in self._moments if m.at >= since]
        before = [m.ready for m in self._moments if m.at < since]
        return [*before[-1:], *found] if staleness or not found else found[-1:]
