"""Keys that will be due: a heap of times, of which the earliest of each key counts."""

from __future__ import annotations

import heapq
from collections.abc import Hashable, Iterator
from typing import Generic, TypeVar

from canarium.engine.queue.urgency import Urgency

K = TypeVar("K", bound=Hashable)


class Delays(Generic[K]):
    """Entries of the heap that `_due` does not name any more are void, and skipped when popped."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, K]] = []
        self._due: dict[K, tuple[float, Urgency]] = {}
        self._serial = 0

    def add(self, key: K, due: float, urgency: Urgency) -> bool:
        """Adds a key, unless it is due earlier already; returns whether it is now the next."""
        scheduled = self._due.get(key)
        if scheduled and scheduled[0] <= due:
            return False
        self._due[key] = (due, urgency)
        self._serial += 1
        heapq.heappush(self._heap, (due, self._serial, key))
        return self._heap[0][2] == key

    def pop(self, now: float) -> Iterator[tuple[K, Urgency]]:
        """Yields and removes the keys that are due."""
        while self._heap and self._heap[0][0] <= now:
            due, _, key = heapq.heappop(self._heap)
            planned = self._due.get(key)
            if planned and planned[0] == due:
                del self._due[key]
                yield key, planned[1]

    def next(self) -> float | None:
        """Returns the time of the first entry, which may be void; None when there is none."""
        return self._heap[0][0] if self._heap else None
