"""The work queue: keys, each handed to one worker at a time, soonest and most urgent first."""

from __future__ import annotations

import asyncio
import heapq
from collections import deque
from collections.abc import Hashable
from enum import IntEnum
from typing import Generic, TypeVar

from canarium.engine.observer import Observer, Unobserved
from canarium.kube.timing import Timing

K = TypeVar("K", bound=Hashable)
_FIRST_BACKOFF, _LAST_BACKOFF = 0.2, 60.0
#: By then the wait has long been at its cap.
_MOST_FAILS = 16
#: For so many seconds a key that is not urgent waits for more urgent ones.
_PATIENCE = 30.0


class Urgency(IntEnum):
    """Lower is sooner."""

    FAULT = 0
    CHANGE = 1
    RESYNC = 2
    #: What nobody waits for.
    IDLE = 3


class WorkQueue(Generic[K]):
    """Deduplicates keys; a key that is added while it is worked on is handed out once more."""

    def __init__(self, timing: Timing | None = None, observer: Observer | None = None) -> None:
        self._timing = timing or Timing()
        self._observer = observer or Unobserved()
        self._clock = self._timing.clock
        self._ready: list[tuple[int, int, K]] = []
        #: Keys that are not urgent, in order of arrival; some may have been taken since.
        self._patient: deque[K] = deque()
        self._waiting: dict[K, Urgency] = {}
        #: How many of them there are of each urgency.
        self._counts = [0] * len(Urgency)
        self._since: dict[K, float] = {}
        self._working: set[K] = set()
        self._again: dict[K, Urgency] = {}
        self._later: list[tuple[float, int, K]] = []
        self._due: dict[K, tuple[float, Urgency]] = {}
        self._taken: dict[K, Urgency] = {}
        self._fails: dict[K, int] = {}
        self._serial = 0
        self._waiters: list[tuple[Urgency, asyncio.Future[None]]] = []
        self._waiting_since = self._taken_at = self._clock()

    @property
    def depth(self) -> int:
        return len(self._waiting)

    def waits(self, urgency: Urgency) -> bool:
        """Whether a key at least so urgent waits to be taken."""
        return any(self._counts[: urgency + 1])

    def urgency(self, key: K) -> Urgency:
        """How urgent the key is that is worked on."""
        return self._taken.get(key, Urgency.RESYNC)

    def add(self, key: K, urgency: Urgency = Urgency.CHANGE) -> None:
        if key in self._working:
            self._again[key] = min(urgency, self._again.get(key, urgency))
            return
        if key in self._waiting and self._waiting[key] <= urgency:
            return
        if not self._waiting:
            self._waiting_since = self._clock()
        if key in self._waiting:
            self._counts[self._waiting[key]] -= 1
        self._waiting[key] = urgency
        self._counts[urgency] += 1
        self._since.setdefault(key, self._clock())
        self._serial += 1
        heapq.heappush(self._ready, (int(urgency), self._serial, key))
        if urgency >= Urgency.RESYNC:
            self._patient.append(key)
        self._wake(urgency)

    def add_after(self, key: K, delay: float, urgency: Urgency = Urgency.RESYNC) -> None:
        """Adds `key` in `delay` seconds; of several, the earliest counts."""
        due = self._clock() + delay
        known = self._due.get(key)
        if known and known[0] <= due:
            return
        self._due[key] = (due, urgency)
        self._serial += 1
        heapq.heappush(self._later, (due, self._serial, key))
        if self._later[0][2] == key:
            self._wake(Urgency.FAULT)  # Whoever waits now waits for too long.

    def backoff(self, key: K, at_least: float = 0.0) -> float:
        """Adds `key` after a wait that doubles with each failure; the wait in seconds."""
        fails = self._fails[key] = min(self._fails.get(key, 0) + 1, _MOST_FAILS)
        wait = min(_FIRST_BACKOFF * 2.0 ** (fails - 1), _LAST_BACKOFF)
        wait = max(at_least, wait * self._timing.chance.uniform(0.8, 1.2))
        self.add_after(key, wait, self._taken.get(key, Urgency.RESYNC))
        return wait

    def forget(self, key: K) -> None:
        """The key succeeded: its next failure begins with a short wait."""
        self._fails.pop(key, None)

    def take(self, most: Urgency = Urgency.IDLE) -> K | None:
        """The next key that is due and no less urgent than `most`, or None. `done` follows."""
        now = self._clock()
        while self._later and self._later[0][0] <= now:
            due, _, key = heapq.heappop(self._later)
            planned = self._due.get(key)
            if planned and planned[0] == due:
                del self._due[key]
                self.add(key, planned[1])
        if most >= Urgency.RESYNC and (patient := self._overdue(now)) is not None:
            return self._hand_out(patient, self._waiting[patient], now)
        while self._ready and self._ready[0][0] <= most:
            urgency, _, key = heapq.heappop(self._ready)
            if self._waiting.get(key) == urgency:
                return self._hand_out(key, Urgency(urgency), now)
        return None

    def _overdue(self, now: float) -> K | None:
        """A key that is not urgent and has waited for long enough, unless a fault waits."""
        while self._patient and self._waiting.get(self._patient[0], Urgency.FAULT) < Urgency.RESYNC:
            self._patient.popleft()
        if not self._patient or self._counts[Urgency.FAULT]:
            return None
        return self._patient[0] if now - self._since[self._patient[0]] > _PATIENCE else None

    def _hand_out(self, key: K, urgency: Urgency, now: float) -> K:
        del self._waiting[key]
        self._counts[urgency] -= 1
        self._working.add(key)
        self._taken[key] = urgency
        self._observer.taken(urgency.name, now - self._since.pop(key))
        self._taken_at = now
        return key

    def next_due(self) -> float | None:
        """Seconds until a delayed key is due; None when there is none."""
        return max(0.0, self._later[0][0] - self._clock()) if self._later else None

    def oldest(self) -> float:
        """For how many seconds the key that waits longest has been due, the idle ones left out."""
        due = (at for key, at in self._since.items() if self._waiting[key] < Urgency.IDLE)
        return max(0.0, self._clock() - min(due, default=self._clock()))

    def untaken(self) -> float:
        """For how many seconds a key that is due has been waiting while none was taken."""
        now = self._clock()
        since = [due for due in (self._later[0][0] if self._later else now,) if due < now]
        if self._waiting:
            since.append(self._waiting_since)
        return max(0.0, now - max(min(since), self._taken_at)) if since else 0.0

    async def get(self, most: Urgency = Urgency.IDLE) -> K:
        """Waits for the next key that is at least as urgent as `most`."""
        while True:
            key = self.take(most)
            if key is not None:
                return key
            waiter = (most, asyncio.get_running_loop().create_future())
            self._waiters.append(waiter)
            try:
                async with asyncio.timeout(self.next_due()):
                    await waiter[1]
            except TimeoutError:
                continue
            except asyncio.CancelledError:
                if waiter not in self._waiters:
                    self._wake(Urgency.FAULT)  # The call was for whoever comes next.
                raise
            finally:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)

    def done(self, key: K) -> None:
        self._working.discard(key)
        self._taken.pop(key, None)
        again = self._again.pop(key, None)
        if again is not None:
            self.add(key, again)

    def _wake(self, urgency: Urgency) -> None:
        """Calls one of those who wait for a key so urgent."""
        for waiter in self._waiters:
            if waiter[0] >= urgency:
                self._waiters.remove(waiter)
                if not waiter[1].done():
                    waiter[1].set_result(None)
                return
