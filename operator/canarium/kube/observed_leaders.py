"""What one process has observed of the leaders of a Lease, and since when by its own clock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from canarium.kube.identity import Identity
from canarium.kube.shards import Leader, holder_of, leaders_of

Raw = dict[str, Any]


class ObservedLeaders:
    """The leaders of `count` shards. `identity` is the process that observes them, and `duration`
    the seconds after which a Lease or a record has expired, unless it states a longer time."""

    def __init__(
        self, identity: Identity, count: int, duration: float, clock: Callable[[], float]
    ) -> None:
        self._identity, self._holder = identity, holder_of(count)
        self._duration, self._clock = duration, clock
        self._spec: tuple[Raw, float] | None = None
        self._records: dict[str, tuple[Leader, float]] = {}
        self._together: tuple[frozenset[str], float] = (frozenset(), clock())

    def note(self, lease: Raw) -> None:
        """Notes since when the Lease, each record, and the number of leaders have been the same."""
        now, leaders, spec = self._clock(), self.leaders(lease), lease.get("spec") or {}
        if self._spec is None or self._spec[0] != spec:
            self._spec = (spec, now)
        self._records = {
            name: old if (old := self._records.get(name)) and old[0] == leader else (leader, now)
            for name, leader in leaders.items()
        }
        if self._together[0] != leaders.keys():
            self._together = (frozenset(leaders), now)

    def leaders(self, lease: Raw) -> dict[str, Leader]:
        """Returns the leaders of our number of shards; records of another number are void."""
        if (lease.get("spec") or {}).get("holderIdentity") != self._holder:
            return {}
        return leaders_of(lease["metadata"].get("annotations") or {})

    def live(self, lease: Raw) -> dict[str, Leader]:
        """Returns the leaders whose records count, always including our own."""
        return {
            name: leader
            for name, leader in self.leaders(lease).items()
            if name == self._identity.name or not self._has_ended(leader)
        }

    def is_free(self, lease: Raw) -> bool:
        """Returns whether leaders of our number of shards may write the Lease as it was noted."""
        spec = lease.get("spec") or {}
        holder = str(spec.get("holderIdentity") or "")
        if holder in ("", self._holder) or self._identity.succeeds(holder):
            return True
        if self._spec is None or self._spec[0] != spec:
            return False
        duration = max(self._duration, float(spec.get("leaseDurationSeconds") or 0))
        return self._clock() >= self._spec[1] + duration

    def are_settled(self) -> bool:
        """Returns whether the leaders have been the same for long enough to move shards."""
        return self._clock() >= self._together[1] + 2 * self._duration

    def _has_ended(self, leader: Leader) -> bool:
        """Returns whether a leader has not renewed its record for too long, or was an earlier
        container of this pod."""
        if self._identity.succeeds(leader.name):
            return True
        seen = self._records.get(leader.name)
        if seen is None or seen[0] != leader:
            return False
        return self._clock() >= seen[1] + max(self._duration, leader.duration)
