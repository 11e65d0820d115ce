"""Defers work while the queue is busy, so that it delays nothing more important."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from canarium.engine.queue.urgency import Urgency
from canarium.engine.queue.work_queue import WorkQueue

K = TypeVar("K", bound=Hashable)


class Deferral(Generic[K]):
    """Defers one kind of work, for each key by at most `limit` seconds.

    The caller does the work when `defer` returns False, and calls `forget` once it is done: until
    then the time that has passed counts, also across failed attempts.
    """

    def __init__(self, queue: WorkQueue[K], clock: Callable[[], float], limit: float) -> None:
        self._queue, self._clock, self._limit = queue, clock, limit
        #: When the work of each key was deferred first.
        self._since: dict[K, float] = {}

    def defer(self, key: K, *, behind: Urgency, urgency: Urgency = Urgency.IDLE) -> bool:
        """Returns whether the work has to wait: while keys at least as urgent as `behind` wait for
        a worker, and within the limit. The key is then added again with `urgency`."""
        now = self._clock()
        since = self._since.get(key, now)
        if now - since > self._limit or not self._queue.waits(behind):
            return False
        self._since[key] = since
        self._queue.add(key, urgency)
        return True

    def forget(self, key: K) -> None:
        """Forgets since when the work of a key was deferred: it is done, or void."""
        self._since.pop(key, None)
