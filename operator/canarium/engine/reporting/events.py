"""When Events are posted: after what others wait for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from canarium.core.decision.plan import Event
from canarium.engine.cache.store import Key
from canarium.engine.queue import Urgency, WorkQueue
from canarium.engine.reporting.status_writer import Statuses
from canarium.kube.clock import Timing

#: So long may an Event be behind the status, which says the same, while keys wait for more.
_WITHIN = 30.0


class Announcing:
    """Posts Events now or, in a crowd, later; what is not posted yet is lost in a crash."""

    def __init__(self, statuses: Statuses, queue: WorkQueue[Key], timing: Timing) -> None:
        self._statuses, self._queue, self._timing = statuses, queue, timing
        #: Uid, since when, and what is to be posted of it.
        self._kept: dict[Key, tuple[str, float, tuple[Event, ...]]] = {}

    async def announce(self, key: Key, told: dict[str, Any], events: Iterable[Event] = ()) -> None:
        """Posts `events` and what was kept before, or keeps them all until the key comes again."""
        uid, now = told["metadata"]["uid"], self._timing.clock()
        whose, since, before = self._kept.pop(key, (uid, now, ()))
        found = (*(before if whose == uid else ()), *events)
        if found and now - since <= _WITHIN and self._queue.waits(Urgency.RESYNC):
            self._kept[key] = (uid, since, found)
            self._queue.add(key, Urgency.IDLE)
            return
        for event in found:
            await self._statuses.post(key, told, event)

    def forget(self, key: Key) -> None:
        """The model is gone, or going."""
        self._kept.pop(key, None)
