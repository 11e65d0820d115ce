"""When a model's status is told. What is in effect goes before what is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from canarium.core.decision.plan import Action, Event, Plan, Route, Weigh
from canarium.core.status import unsupported
from canarium.engine.cache.compression import Packing
from canarium.engine.cache.store import Key
from canarium.engine.queue import Urgency, WorkQueue
from canarium.engine.reporting.events import Announcing
from canarium.engine.reporting.status_writer import Statuses
from canarium.kube.clock import Timing

#: Counts of pods that are all that changed go with the next transition; without one they are told
#: so long after they began to differ. That is how far the status may be behind the pods.
_COUNTS_AFTER = 30.0
#: A pod that is stuck is told of sooner.
_STUCK_AFTER = 5.0
#: After so long a status is put off no more. With the queue's own patience it is behind what is
#: in effect by a minute and a quarter, while more urgent keys wait.
_PUT_OFF_FOR = 45.0


@dataclass(frozen=True, slots=True)
class _Untold:
    """What is in effect and not yet told of a model: packed, since there may be thousands."""

    uid: str
    since: float
    status: bytes
    events: tuple[Event, ...]


class Telling:
    """Tells now or later, and remembers what it has not told."""

    def __init__(self, statuses: Statuses, queue: WorkQueue[Key], timing: Timing) -> None:
        self._statuses, self._queue, self._timing = statuses, queue, timing
        self._announcing = Announcing(statuses, queue, timing)
        #: Since when nothing but counts of pods differs from the status.
        self._behind: dict[Key, float] = {}
        self._untold: dict[Key, _Untold] = {}
        self._packing = Packing()

    def forget(self, key: Key) -> None:
        """The model is gone, or going."""
        self._behind.pop(key, None)
        self._untold.pop(key, None)
        self._announcing.forget(key)

    def in_effect(self, key: Key, told: dict[str, Any]) -> dict[str, Any]:
        """The parent with the status as it would be if all were told. What is not is lost in a
        crash, as it is in one between two writes (R18)."""
        untold = self._untold.get(key)
        if untold is None or untold.uid != told["metadata"]["uid"]:
            self._untold.pop(key, None)
            return told
        return {**told, "status": self._packing.opened(untold.status)}

    async def leave(self, key: Key, told: dict[str, Any], text: str) -> None:
        """Says that this operator does not understand the model; what was untold is void."""
        self._untold.pop(key, None)
        status = unsupported.told(told, text, self._timing.now())
        new = status != told.get("status")
        if await self._statuses.write(key, told, status):
            events = [Event("Warning", unsupported.REASON, text)] if new else []
            await self._announcing.announce(key, told, events)

    async def tell(
        self, key: Key, told: dict[str, Any], raw: dict[str, Any], decision: Plan
    ) -> None:
        """Tells what was decided on `raw`, or later; `told` is the parent as it is stored."""
        now = self._timing.clock()
        status = self._worth_telling(key, raw, decision, now)
        untold = self._untold.get(key)
        events = (*untold.events, *decision.events) if untold else decision.events
        stored = told.get("status") or {}
        if status == stored and not events:
            self._untold.pop(key, None)
            await self._announcing.announce(key, told)
            return
        # Part of what a command did may be in the status alone (R16): that waits for nobody.
        answered = (status.get("commands") or []) != (stored.get("commands") or [])
        later = None if answered else self._later(key, decision)
        if later is not None:
            since = untold.since if untold else now
            content = self._packing.packed(status)
            self._untold[key] = _Untold(told["metadata"]["uid"], since, content, events)
            self._queue.add(key, later)
            return
        written = await self._statuses.write(key, told, status)
        self._untold.pop(key, None)
        if not written:
            return
        if status != stored:
            self._behind.pop(key, None)
        await self._announcing.announce(key, told, events)

    def _worth_telling(
        self, key: Key, raw: dict[str, Any], decision: Plan, now: float
    ) -> dict[str, Any]:
        """The status that was decided; the one before it while only counts have changed."""
        status = decision.status.model_dump(mode="json", by_alias=True, exclude_none=True)
        if status == raw.get("status") or decision.pressing:
            self._behind.pop(key, None)
            return status
        hold = decision.status.hold
        patience = _STUCK_AFTER if hold and hold.pod else _COUNTS_AFTER
        wait = self._behind.setdefault(key, now) + patience - now
        if wait <= 0:
            return status
        self._queue.add_after(key, wait)
        return raw.get("status") or {}

    def _later(self, key: Key, decision: Plan) -> Urgency | None:
        """How urgent it is to tell of a decision that is in effect; None: now.

        When many models start at once, each has its children before the first of them is told of;
        when many fail at once, each loses its traffic before that (R8).
        """
        untold = self._untold.get(key)
        if untold and self._timing.clock() - untold.since > _PUT_OFF_FOR:
            return None
        if any(takes_off(action) for action in decision.actions):
            return Urgency.CHANGE if self._queue.waits(Urgency.FAULT) else None
        urgent = self._queue.urgency(key) is Urgency.FAULT
        return Urgency.RESYNC if not urgent and self._queue.waits(Urgency.CHANGE) else None


def takes_off(action: Action) -> bool:
    """Whether a failed version loses its traffic by it."""
    return isinstance(action, Route | Weigh) and bool(action.traffic.quarantined)
