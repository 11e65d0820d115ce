"""The queue itself; see the package for its semantics and invariants."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Hashable
from functools import partial
from typing import Generic, TypeVar

from canarium.engine.instrumentation import Observer, Unobserved
from canarium.engine.queue.backoff import Backoff
from canarium.engine.queue.delays import Delays
from canarium.engine.queue.lane import Lane, Share
from canarium.engine.queue.urgency import PATIENCE, Urgency
from canarium.kube.clock import Timing

K = TypeVar("K", bound=Hashable)
#: Faults that are taken between two overdue keys of less urgent lanes. A rollback is one write, and
#: the work that it leaves for later is four or five.
_FAULTS_PER_OVERDUE = 9


class WorkQueue(Generic[K]):
    """`share` maps a key to the share that it takes turns for, its namespace. `workers` is how many
    keys are worked on at once; None: no limit."""

    def __init__(
        self,
        timing: Timing | None = None,
        observer: Observer | None = None,
        *,
        share: Callable[[K], Share] = lambda key: None,
        workers: int | None = None,
    ) -> None:
        timing = timing or Timing()
        self._observer = observer or Unobserved()
        self._clock = timing.clock
        self._share, self._workers = share, workers
        self._lanes: dict[Urgency, Lane[K]] = {urgency: Lane(share) for urgency in Urgency}
        #: The lane of each key that waits.
        self._waiting: dict[K, Urgency] = {}
        #: Since when each key that waits has been due.
        self._since: dict[K, float] = {}
        #: When the most urgent change was added of each key that waits, or that was added again.
        self._added: dict[K, float] = {}
        #: The same of the keys that are worked on.
        self._noticed: dict[K, float] = {}
        #: Keys that are worked on, with the urgency that they were taken with.
        self._working: dict[K, Urgency] = {}
        #: How many of them each share has, those taken as faults counted separately.
        self._held: Counter[tuple[Share, bool]] = Counter()
        #: Keys that were added while they were worked on.
        self._again: dict[K, Urgency] = {}
        self._delays: Delays[K] = Delays()
        self._backoff: Backoff[K] = Backoff(share, timing.chance)
        #: Keys taken since an overdue one was.
        self._turns = 0
        self._waiters: list[tuple[Urgency, asyncio.Future[None]]] = []
        self._waiting_since = self._taken_at = self._clock()

    @property
    def depth(self) -> int:
        """How many keys wait."""
        return len(self._waiting)

    def waits(self, urgency: Urgency) -> bool:
        """Returns whether a key at least so urgent waits for the worker that asks.

        Keys whose share already holds its part of the workers wait for these, not for the one that
        asks: work deferred for them would be taken again at once, over and over.
        """
        return any(
            self._lanes[one].has_any(partial(self._may_hold, one, spare=1))
            for one in Urgency
            if one <= urgency
        )

    def urgency(self, key: K) -> Urgency:
        """Returns the urgency that a key that is worked on was taken with."""
        return self._working.get(key, Urgency.RESYNC)

    def add(self, key: K, urgency: Urgency = Urgency.CHANGE) -> None:
        """Adds a key, or raises the urgency of one that waits."""
        now = self._clock()
        if key in self._working:
            again = self._again.get(key)
            if again is None or urgency < again:
                self._again[key], self._added[key] = urgency, now
            return
        before = self._waiting.get(key)
        if before is not None:
            if before <= urgency:
                return
            self._lanes[before].remove(key)
        elif not self._waiting:
            self._waiting_since = now
        self._waiting[key], self._added[key] = urgency, now
        self._since.setdefault(key, now)
        self._lanes[urgency].add(key, now)
        self._wake(urgency)

    def added_at(self, key: K) -> float:
        """Returns when the change was added, by the queue's clock, that a key is worked on for; of
        several changes, the most urgent one counts."""
        return self._noticed.get(key, self._clock())

    def add_after(self, key: K, delay: float, urgency: Urgency = Urgency.RESYNC) -> None:
        """Adds a key in `delay` seconds; of several delays, the earliest counts."""
        if self._delays.add(key, self._clock() + delay, urgency):
            self._wake(Urgency.FAULT)  # A worker that waits now waits for too long.

    def backoff(self, key: K, at_least: float = 0.0) -> float:
        """Adds a failed key after a wait that doubles with each failure; returns the wait.

        `at_least` is the wait that the server asked for.
        """
        urgency = self._working.get(key, Urgency.RESYNC)
        wait = self._backoff.failed(key, urgency, at_least)
        self.add_after(key, wait, urgency)
        return wait

    def forget(self, key: K) -> None:
        """Forgets the failures of a key that succeeded."""
        self._backoff.succeeded(key)

    def take(self, most: Urgency = Urgency.IDLE) -> K | None:
        """Returns the next key that is due and no less urgent than `most`, or None. `done` has to
        be called for it."""
        now = self._clock()
        for key, urgency in self._delays.pop(now):
            self.add(key, urgency)
        overdue = self._overdue(now, most)
        order = [one for one in Urgency if one <= most and one is not overdue]
        for urgency in (overdue, *order) if overdue is not None else order:
            next_key = self._lanes[urgency].take(partial(self._may_hold, urgency))
            if next_key is not None:
                self._turns = 0 if urgency is overdue else self._turns + 1
                self._hand_out(next_key, urgency, now)
                return next_key
        return None

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
                    self._wake(Urgency.FAULT)  # The wake-up was meant for the next waiter.
                raise
            finally:
                if waiter in self._waiters:
                    self._waiters.remove(waiter)

    def done(self, key: K) -> None:
        """Ends the work on a key, which may be handed out again."""
        urgency = self._working.pop(key, None)
        if urgency is not None:
            place = (self._share(key), urgency is Urgency.FAULT)
            self._held[place] -= 1
            if self._held[place] <= 0:
                # Left out, so that the names of old shares do not pile up.
                del self._held[place]
        self._noticed.pop(key, None)
        again = self._again.pop(key, None)
        if again is not None:
            added = self._added.pop(key)
            self.add(key, again)
            self._added[key] = added
        elif self._waiting:
            # A worker is free: a share that had its part of them may be served again.
            self._wake(Urgency.CHANGE)

    def next_due(self) -> float | None:
        """Returns the seconds until a delayed key is due; None when there is none."""
        due = self._delays.next()
        return None if due is None else max(0.0, due - self._clock())

    def oldest(self) -> float:
        """Returns for how many seconds the key that waits longest has been due; idle ones do not
        count."""
        due = (at for key, at in self._since.items() if self._waiting[key] < Urgency.IDLE)
        return max(0.0, self._clock() - min(due, default=self._clock()))

    def starved_for(self) -> float:
        """Returns for how many seconds a key has been due while none was taken."""
        now = self._clock()
        delayed = self._delays.next()
        since = [delayed] if delayed is not None and delayed < now else []
        if self._waiting:
            since.append(self._waiting_since)
        return max(0.0, now - max(min(since), self._taken_at)) if since else 0.0

    def _overdue(self, now: float, most: Urgency) -> Urgency | None:
        """Returns the lane that has been overdue for longest, if it is the turn of such a one."""
        if self._turns < (_FAULTS_PER_OVERDUE if self._lanes[Urgency.FAULT] else 1):
            return None
        late = {
            now - joined - patience: urgency
            for urgency, patience in PATIENCE.items()
            if urgency <= most and (joined := self._lanes[urgency].oldest()) is not None
        }
        longest = max(late, default=0.0)
        return late[longest] if longest > 0 else None

    def _may_hold(self, urgency: Urgency, share: Share, spare: int = 0) -> bool:
        """Returns whether `share` may have one more key worked on, with `spare` more workers
        free."""
        if self._workers is None:
            return True
        held = self._held[share, urgency is Urgency.FAULT]
        return held < max(1, self._workers - len(self._working) + spare)

    def _hand_out(self, key: K, urgency: Urgency, now: float) -> None:
        del self._waiting[key]
        self._working[key] = urgency
        self._noticed[key] = self._added.pop(key, now)
        self._held[self._share(key), urgency is Urgency.FAULT] += 1
        self._observer.dequeued(urgency.name, now - self._since.pop(key))
        self._taken_at = now

    def _wake(self, urgency: Urgency) -> None:
        """Wakes one worker that waits for a key so urgent."""
        for waiter in self._waiters:
            if waiter[0] >= urgency:
                self._waiters.remove(waiter)
                if not waiter[1].done():
                    waiter[1].set_result(None)
                return
