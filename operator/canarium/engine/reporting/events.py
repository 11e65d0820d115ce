"""Posts the Events of decisions, after what others wait for."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from canarium.core.decision.plan import Event
from canarium.engine.cache.store import Key
from canarium.engine.queue import Deferral, Urgency, WorkQueue
from canarium.engine.reporting.status_writer import StatusWriter
from canarium.kube.clock import Timing

#: Maximum seconds that Events may lag behind the status, which has the same content, while the
#: queue is busy: of a failure or a rejection (R29), and of progress alone. Each costs the API
#: server as much as a write that changes traffic.
_WARNING_LIMIT, _LIMIT = 30.0, 120.0


#: An Event, and the POSIX time of what it reports, however much later it is posted.
Dated = tuple[float, Event]


class EventRecorder:
    """Posts Events at once or, while the queue is busy, later. A crash loses deferred ones."""

    def __init__(self, statuses: StatusWriter, queue: WorkQueue[Key], timing: Timing) -> None:
        self._statuses = statuses
        self._deferral = Deferral(queue, timing.clock, _LIMIT)
        self._warning_deferral = Deferral(queue, timing.clock, _WARNING_LIMIT)
        #: Deferred Events, with the UID of the model that they are about.
        self._deferred: dict[Key, tuple[str, tuple[Dated, ...]]] = {}

    async def publish(self, key: Key, stored: dict[str, Any], events: Iterable[Dated] = ()) -> None:
        """Posts `events` and those deferred before, or defers them all until the key is next
        reconciled."""
        uid = stored["metadata"]["uid"]
        whose, before = self._deferred.pop(key, (uid, ()))
        pending = (*(before if whose == uid else ()), *events)
        warns = any(event.kind == "Warning" for _, event in pending)
        deferral = self._warning_deferral if warns else self._deferral
        if pending and deferral.defer(key, behind=Urgency.RESYNC):
            self._deferred[key] = (uid, pending)
            return
        self._forget_times(key)
        for at, event in pending:
            await self._statuses.post(key, stored, event, at)

    def forget(self, key: Key) -> None:
        """Drops the deferred Events of a deleted model."""
        self._deferred.pop(key, None)
        self._forget_times(key)

    def _forget_times(self, key: Key) -> None:
        self._deferral.forget(key)
        self._warning_deferral.forget(key)
