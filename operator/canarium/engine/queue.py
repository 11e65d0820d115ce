"""The work queue: keys, each handed to one worker at a time.

Semantics:

- A key waits at most once. Adding it again makes it more urgent or changes nothing, so the memory
  is bounded by the number of keys.
- A key is handed to one worker at a time. One that is added meanwhile is handed out once more after
  `done`, with the most urgent of the reasons.
- Order: by urgency, then round robin between shares, then first in, first out. The share of a key
  is its namespace: at each urgency, a key waits for at most one key of every other namespace and
  for the earlier ones of its own, however many keys the others have (R31).
- No urgency starves. A key that has waited for longer than its patience is overdue, and overdue
  keys get every second turn, or every fourth one while faults wait.
- No share holds all workers. With `workers` set, a share is handed a key only while it has fewer
  keys being worked on than there are free workers (the dynamic threshold of shared-memory
  switches, Choudhury and Hahne 1998). One share alone gets half of the workers, n shares that
  never finish get 1/(n + 1) each, and that much stays free for others. Faults count apart: the
  slow changes of a namespace do not use up the workers of its own rollbacks.
- Delays: of several delays of a key the earliest counts. A failed key comes back after a jittered
  wait that doubles up to a cap, which is a few seconds and grows only with the number of keys of
  its own share that fail at the same time.

Invariants: a key is in at most one lane (`_waiting` names it), never in a lane and in `_taken` at
the same time, and in `_again` only while in `_taken`. Every operation costs O(1) in the number of
keys, except for delays, which are a heap.
"""

from __future__ import annotations

import asyncio
import heapq
from collections import Counter
from collections.abc import Callable, Hashable
from enum import IntEnum
from functools import partial
from typing import Any, Generic, TypeVar

from canarium.engine.instrumentation import Observer, Unobserved
from canarium.engine.queue_lane import Lane, Share
from canarium.kube.clock import Timing

K = TypeVar("K", bound=Hashable)


class Urgency(IntEnum):
    """Lower is sooner."""

    FAULT = 0
    CHANGE = 1
    RESYNC = 2
    #: What nobody waits for.
    IDLE = 3


_FIRST_BACKOFF = 0.2
#: The longest wait of a failed key, before jitter: what stands between the end of an outage, or of
#: a refusal, and the next attempt. A rollback is worth an attempt every two seconds, all else one
#: every five.
_LAST_BACKOFF = {Urgency.FAULT: 1.6}
_LAST_BACKOFF_ELSE = 4.0
#: Retries per second of one share at most, half of the default limit on writes: with more keys
#: failing than that allows for, each waits for longer, up to the longest backoff.
_RETRIES_PER_SECOND = 100.0
_LONGEST_BACKOFF = 60.0
#: By then the wait has long been at its cap.
_MOST_FAILS = 16
#: Seconds after which a key of that urgency is overdue. Faults never are: nothing is before them.
_PATIENCE = {Urgency.CHANGE: 10.0, Urgency.RESYNC: 30.0, Urgency.IDLE: 30.0}


class WorkQueue(Generic[K]):
    """See the semantics above. `workers` is how many keys are worked on at once; None: no limit."""

    def __init__(
        self,
        timing: Timing | None = None,
        observer: Observer | None = None,
        *,
        share: Callable[[K], Share] = lambda key: None,
        workers: int | None = None,
    ) -> None:
        self._timing = timing or Timing()
        self._observer = observer or Unobserved()
        self._clock = self._timing.clock
        self._share, self._workers = share, workers
        self._lanes: dict[Urgency, Lane[K]] = {urgency: Lane(share) for urgency in Urgency}
        #: The lane of each key that waits.
        self._waiting: dict[K, Urgency] = {}
        #: Since when each key that waits has been due.
        self._since: dict[K, float] = {}
        #: Keys that are worked on, and with which urgency they were taken.
        self._taken: dict[K, Urgency] = {}
        #: How many of them each share has, those taken as faults apart.
        self._held: Counter[tuple[Share, bool]] = Counter()
        #: Keys that were added while they were worked on.
        self._again: dict[K, Urgency] = {}
        #: Delays as a heap; one that `_due` does not name any more is void.
        self._later: list[tuple[float, int, K]] = []
        self._due: dict[K, tuple[float, Urgency]] = {}
        #: Failures in a row of each key, and how many keys of each share have any.
        self._fails: dict[K, int] = {}
        self._failing: Counter[Share] = Counter()
        self._serial = 0
        #: Keys taken since an overdue one was.
        self._turns = 0
        self._waiters: list[tuple[Urgency, asyncio.Future[None]]] = []
        self._waiting_since = self._taken_at = self._clock()

    @property
    def depth(self) -> int:
        return len(self._waiting)

    def waits(self, urgency: Urgency) -> bool:
        """Whether a key at least so urgent waits for the worker that asks.

        Those whose share has its part of the workers wait for these, not for the one that asks: to
        put something off for them would have it taken again at once, over and over.
        """
        return any(
            self._lanes[one].has_any(partial(self._may_hold, one, spare=1))
            for one in Urgency
            if one <= urgency
        )

    def urgency(self, key: K) -> Urgency:
        """How urgent the key is that is worked on."""
        return self._taken.get(key, Urgency.RESYNC)

    def add(self, key: K, urgency: Urgency = Urgency.CHANGE) -> None:
        if key in self._taken:
            self._again[key] = min(urgency, self._again.get(key, urgency))
            return
        before = self._waiting.get(key)
        if before is not None:
            if before <= urgency:
                return
            self._lanes[before].remove(key)
        elif not self._waiting:
            self._waiting_since = self._clock()
        self._waiting[key] = urgency
        now = self._clock()
        self._since.setdefault(key, now)
        self._lanes[urgency].add(key, now)
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
        """Adds `key` after a wait that doubles with each failure; the wait in seconds.

        `at_least` is what the server asked for; it is exceeded by a jitter, so that those who were
        refused together do not return together.
        """
        share, urgency = self._share(key), self._taken.get(key, Urgency.RESYNC)
        if key not in self._fails:
            self._failing[share] += 1
        fails = self._fails[key] = min(self._fails.get(key, 0) + 1, _MOST_FAILS)
        cap = max(
            _LAST_BACKOFF.get(urgency, _LAST_BACKOFF_ELSE),
            min(self._failing[share] / _RETRIES_PER_SECOND, _LONGEST_BACKOFF),
        )
        chance = self._timing.chance
        wait = min(_FIRST_BACKOFF * 2.0 ** (fails - 1), cap) * chance.uniform(0.8, 1.2)
        if at_least:
            wait = max(wait, min(at_least, _LONGEST_BACKOFF) * chance.uniform(1.0, 1.2))
        self.add_after(key, wait, urgency)
        return wait

    def forget(self, key: K) -> None:
        """The key succeeded: its next failure begins with a short wait."""
        if self._fails.pop(key, None) is not None:
            _less(self._failing, self._share(key))

    def take(self, most: Urgency = Urgency.IDLE) -> K | None:
        """The next key that is due and no less urgent than `most`, or None. `done` follows."""
        now = self._clock()
        while self._later and self._later[0][0] <= now:
            due, _, key = heapq.heappop(self._later)
            planned = self._due.get(key)
            if planned and planned[0] == due:
                del self._due[key]
                self.add(key, planned[1])
        overdue = self._overdue(now, most)
        order = [one for one in Urgency if one <= most and one is not overdue]
        for urgency in (overdue, *order) if overdue is not None else order:
            found = self._lanes[urgency].take(partial(self._may_hold, urgency))
            if found is not None:
                self._turns = 0 if urgency is overdue else self._turns + 1
                self._hand_out(found, urgency, now)
                return found
        return None

    def _overdue(self, now: float, most: Urgency) -> Urgency | None:
        """The lane that has been overdue for longest, when it is the turn of such a one."""
        if self._turns < (3 if self._lanes[Urgency.FAULT] else 1):
            return None
        late = {
            now - joined - patience: urgency
            for urgency, patience in _PATIENCE.items()
            if urgency <= most and (joined := self._lanes[urgency].oldest()) is not None
        }
        longest = max(late, default=0.0)
        return late[longest] if longest > 0 else None

    def _may_hold(self, urgency: Urgency, share: Share, spare: int = 0) -> bool:
        """Whether `share` may have one more key worked on, with `spare` more workers free."""
        if self._workers is None:
            return True
        held = self._held[share, urgency is Urgency.FAULT]
        return held < max(1, self._workers - len(self._taken) + spare)

    def _hand_out(self, key: K, urgency: Urgency, now: float) -> None:
        del self._waiting[key]
        self._taken[key] = urgency
        self._held[self._share(key), urgency is Urgency.FAULT] += 1
        self._observer.taken(urgency.name, now - self._since.pop(key))
        self._taken_at = now

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
        """The worker has finished with `key`, which may be handed out again."""
        urgency = self._taken.pop(key, None)
        if urgency is not None:
            _less(self._held, (self._share(key), urgency is Urgency.FAULT))
        again = self._again.pop(key, None)
        if again is not None:
            self.add(key, again)
        elif self._waiting:
            # A worker is free: a share that had its part of them may be served again.
            self._wake(Urgency.CHANGE)

    def _wake(self, urgency: Urgency) -> None:
        """Calls one of those who wait for a key so urgent."""
        for waiter in self._waiters:
            if waiter[0] >= urgency:
                self._waiters.remove(waiter)
                if not waiter[1].done():
                    waiter[1].set_result(None)
                return


def _less(count: Counter[Any], what: Hashable) -> None:
    """One less; what has none is left out, so that the names of old shares do not pile up."""
    count[what] -= 1
    if count[what] <= 0:
        del count[what]
