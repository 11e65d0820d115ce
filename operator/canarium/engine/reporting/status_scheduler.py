"""Decides when to write status. Under load, writes that change traffic take priority over it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from canarium.core.decision.plan import Action, Event, Plan, SelectColor, SetRouteWeights
from canarium.core.status import unsupported
from canarium.engine.cache.compression import Compressor
from canarium.engine.cache.store import Key
from canarium.engine.queue import Deferral, Urgency, WorkQueue
from canarium.engine.reporting.events import Dated, EventRecorder
from canarium.engine.reporting.status_writer import StatusWriter
from canarium.kube.clock import Timing

#: Seconds after which a status is written whose pod counts alone differ from the stored one; they
#: are written with any other change before that. It is how far status may lag behind the pods.
_COUNTS_AFTER = 30.0
#: The same when a pod is stuck.
_STUCK_AFTER = 5.0
#: The same when the traffic of a revision differs, as after an autoscaler changed stable's size.
_SHARES_AFTER = 2.0
#: Maximum seconds that a status is deferred. With the queue's own patience, it lags behind what is
#: in effect by at most a minute and a quarter while more urgent keys wait.
_LIMIT = 45.0


@dataclass(frozen=True, slots=True)
class _Deferred:
    """A status in effect that is not written yet: compressed, since there may be thousands."""

    uid: str
    status: bytes
    events: tuple[Dated, ...]


class StatusScheduler:
    """Writes status at once or later, and keeps what is not written yet."""

    def __init__(self, statuses: StatusWriter, queue: WorkQueue[Key], timing: Timing) -> None:
        self._statuses, self._queue, self._timing = statuses, queue, timing
        self._events = EventRecorder(statuses, queue, timing)
        self._deferral = Deferral(queue, timing.clock, _LIMIT)
        self._deferred: dict[Key, _Deferred] = {}
        #: Since when nothing but pod counts differs from the stored status.
        self._counts_differ: dict[Key, float] = {}
        self._compressor = Compressor()

    def forget(self, key: Key) -> None:
        """Drops what is not written of a deleted model."""
        self._counts_differ.pop(key, None)
        self._drop(key)
        self._events.forget(key)

    def with_pending_status(self, key: Key, stored: dict[str, Any]) -> dict[str, Any]:
        """Returns the model with the status as it would be if nothing were deferred. A deferred
        status is lost in a crash, as it is in a crash between two writes (R18)."""
        deferred = self._deferred.get(key)
        if deferred is None or deferred.uid != stored["metadata"]["uid"]:
            self._drop(key)
            return stored
        return {**stored, "status": self._compressor.decompress(deferred.status)}

    async def mark_unsupported(self, key: Key, stored: dict[str, Any], text: str) -> None:
        """Writes that this operator does not support the model; a deferred status is void."""
        self._drop(key)
        status = unsupported.status_of(stored, text, self._timing.now())
        new = status != stored.get("status")
        if await self._statuses.write(key, stored, status):
            event = Event("Warning", unsupported.REASON, text)
            await self._events.publish(key, stored, self._dated([event] if new else []))

    async def publish(
        self, key: Key, stored: dict[str, Any], raw: dict[str, Any], decision: Plan
    ) -> None:
        """Writes the status and Events of a decision on `raw`, or defers them; `stored` is the
        model as the API server has it."""
        status = self._status_to_write(key, raw, decision)
        deferred = self._deferred.get(key)
        events = (*(deferred.events if deferred else ()), *self._dated(decision.events))
        before = stored.get("status") or {}
        if status == before and not events:
            self._drop(key)
            await self._events.publish(key, stored)
            return
        # Part of what a command did may be in the status alone (R16): that is never deferred.
        answers = (status.get("commands") or []) != (before.get("commands") or [])
        if not answers and self._defer(key, decision):
            content = self._compressor.compress(status)
            self._deferred[key] = _Deferred(stored["metadata"]["uid"], content, events)
            return
        decided = status == raw.get("status")
        written = await self._statuses.write(key, stored, status, decided=decided)
        self._drop(key)
        if not written:
            return
        if status != before:
            self._counts_differ.pop(key, None)
        await self._events.publish(key, stored, events)

    def _dated(self, events: Iterable[Event]) -> tuple[Dated, ...]:
        now = self._timing.now()
        return tuple((now, event) for event in events)

    def _drop(self, key: Key) -> None:
        self._deferred.pop(key, None)
        self._deferral.forget(key)

    def _status_to_write(self, key: Key, raw: dict[str, Any], decision: Plan) -> dict[str, Any]:
        """Returns the decided status, or the one before it while only pod counts differ."""
        status = decision.status.model_dump(mode="json", by_alias=True, exclude_none=True)
        if status == raw.get("status") or decision.status_is_urgent:
            self._counts_differ.pop(key, None)
            return status
        hold = decision.status.waiting_for
        patience = _STUCK_AFTER if hold and hold.pod else _COUNTS_AFTER
        if _shares(status) != _shares(raw.get("status") or {}):
            patience = _SHARES_AFTER
        now = self._timing.clock()
        wait = self._counts_differ.setdefault(key, now) + patience - now
        if wait <= 0:
            return status
        self._queue.add_after(key, wait)
        return raw.get("status") or {}

    def _defer(self, key: Key, decision: Plan) -> bool:
        """Returns whether the status of a decision that is in effect is deferred.

        When many models start at once, each has its children before any of them has its status;
        when many fail at once, traffic is taken off each of them before that (R8).
        """
        if any(is_rollback(action) for action in decision.actions):
            return self._deferral.defer(key, behind=Urgency.FAULT, urgency=Urgency.CHANGE)
        if self._queue.urgency(key) is Urgency.FAULT:
            return False
        return self._deferral.defer(key, behind=Urgency.CHANGE, urgency=Urgency.RESYNC)


def _shares(status: dict[str, Any]) -> list[int | None]:
    """Returns the effective weight of each revision in a raw status."""
    parts = (status.get(name) or {} for name in ("stable", "candidate", "previous"))
    return [part.get("effectiveWeight") for part in parts]


def is_rollback(action: Action) -> bool:
    """Returns whether an action takes traffic off a failed version."""
    return isinstance(action, SelectColor | SetRouteWeights) and action.rolls_back
