"""The work queue: keys, each handed to one worker at a time, soonest and most urgent first."""

from __future__ import annotations

import asyncio
import heapq
import random
from collections.abc import Callable, Hashable
from enum import IntEnum
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)
_FIRST_BACKOFF, _LAST_BACKOFF = 0.2, 60.0
#: By then the wait has long been at its cap.
_MOST_FAILS = 16


class Urgency(IntEnum):
    """Lower is sooner."""

    FAULT = 0
    CHANGE = 1
    RESYNC = 2


class WorkQueue(Generic[K]):
    """Deduplicates keys; a key that is added while it is worked on is handed out once more."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._ready: list[tuple[int, int, K]] = []
        self._waiting: dict[K, Urgency] = {}
        self._working: set[K] = set()
        self._again: dict[K, Urgency] = {}
        self._later: list[tuple[float, int, K]] = []
        self._due: dict[K, tuple[float, Urgency]] = {}
        self._taken: dict[K, Urgency] = {}
        self._fails: dict[K, int] = {}
        self._serial = 0
        self._wake = asyncio.Event()

    @property
    def depth(self) -> int:
        return len(self._waiting)

    def add(self, key: K, urgency: Urgency = Urgency.CHANGE) -> None:
        if key in self._working:
            self._again[key] = min(urgency, self._again.get(key, Urgency.RESYNC))
            return
        if key in self._waiting and self._waiting[key] <= urgency:
            return
        self._waiting[key] = urgency
        self._serial += 1
        heapq.heappush(self._ready, (int(urgency), self._serial, key))
        self._wake.set()

    def add_after(self, key: K, delay: float, urgency: Urgency = Urgency.RESYNC) -> None:
        """Adds `key` in `delay` seconds; of several, the earliest counts."""
        due = self._clock() + delay
        known = self._due.get(key)
        if known and known[0] <= due:
            return
        self._due[key] = (due, urgency)
        self._serial += 1
        heapq.heappush(self._later, (due, self._serial, key))
        self._wake.set()

    def backoff(self, key: K) -> float:
        """Adds `key` after a wait that doubles with each failure; the wait in seconds."""
        fails = self._fails[key] = min(self._fails.get(key, 0) + 1, _MOST_FAILS)
        wait = min(_FIRST_BACKOFF * 2.0 ** (fails - 1), _LAST_BACKOFF) * random.uniform(0.8, 1.2)
        self.add_after(key, wait, self._taken.get(key, Urgency.RESYNC))
        return wait

    def forget(self, key: K) -> None:
        """The key succeeded: its next failure begins with a short wait."""
        self._fails.pop(key, None)

    def take(self) -> K | None:
        """The next key that is due, or None. `done` must follow."""
        now = self._clock()
        while self._later and self._later[0][0] <= now:
            due, _, key = heapq.heappop(self._later)
            planned = self._due.get(key)
            if planned and planned[0] == due:
                del self._due[key]
                self.add(key, planned[1])
        while self._ready:
            urgency, _, key = heapq.heappop(self._ready)
            if self._waiting.get(key) == urgency:
                del self._waiting[key]
                self._working.add(key)
                self._taken[key] = Urgency(urgency)
                return key
        return None

    def next_due(self) -> float | None:
        """Seconds until a delayed key is due; None when there is none."""
        return max(0.0, self._later[0][0] - self._clock()) if self._later else None

    async def get(self) -> K:
        """Waits for the next key."""
        while True:
            self._wake.clear()
            key = self.take()
            if key is not None:
                self._wake.set()
                return key
            try:
                await asyncio.wait_for(self._wake.wait(), self.next_due())
            except TimeoutError:
                continue

    def done(self, key: K) -> None:
        self._working.discard(key)
        self._taken.pop(key, None)
        again = self._again.pop(key, None)
        if again is not None:
            self.add(key, again)
