"""Limits requests that authors of models cause, fairly between namespaces (R31).

Theory: requests wait in one queue for each namespace, and the queues are served round robin. A
namespace that begins to wait is last in the round, so it waits for at most one request of each
other namespace, however many of theirs wait.

- A namespace has at most its share of requests under way, for as long as they take: what it asks is
  slow for itself alone.
- All namespaces together have a number of seats. A request gives its seat back when it ends, or
  after a second: servers that never answer would otherwise keep the seats of all.
- Requests start at most at a rate, with a burst. A request that cannot start for want of the share
  of its namespace uses none of the rate.
- A waiter that is cancelled leaves its queue, and uses neither seat nor rate.

Within a namespace, requests start in the order of their arrival, repetitions after all others. The
order of namespaces does not depend on that.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from canarium.kube.clock import Timing

#: Seconds after which a request without an answer holds no seat.
SLOW = 1.0
#: Part of a request that rounding may leave missing of the rate.
_ROUNDING = 1e-9


class FairTurns:
    """`at_once` seats for all namespaces, `share` requests of one; `per_second` may start, and
    `burst` at the same moment."""

    def __init__(
        self,
        at_once: int,
        share: int,
        per_second: float = float("inf"),
        burst: int = 1,
        timing: Timing | None = None,
    ) -> None:
        if min(at_once, share, burst) < 1 or per_second <= 0:
            raise ValueError("at_once, share, burst and per_second must be positive")
        self._at_once, self._share = at_once, share
        self._per_second, self._burst = per_second, burst
        self._timing = timing or Timing()
        self._tokens, self._filled = float(burst), self._timing.clock()
        #: Waiting requests by namespace, in the order in which namespaces are served.
        self._waiting: dict[str, _Queue] = {}
        #: Requests under way by namespace, and occupied seats.
        self._under_way: dict[str, int] = {}
        self._occupied = 0
        self._refill: asyncio.Task[None] | None = None

    @asynccontextmanager
    async def turn(self, namespace: str, repeats: bool = False) -> AsyncIterator[None]:
        """Waits until a request of `namespace` may start, and ends it on leaving; `repeats`: it
        waits for the others of its namespace."""
        seat = await self._take(namespace, repeats)
        try:
            yield
        finally:
            seat.free()
            self._end(namespace)
            self.serve()

    async def _take(self, namespace: str, repeats: bool) -> _Seat:
        turn = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(namespace, _Queue()).add(turn, repeats)
        self.serve()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._occupied -= 1
                self._end(namespace)
                self.serve()
            else:
                self._drop(namespace, turn)
            raise
        return _Seat(self)

    def _drop(self, namespace: str, turn: asyncio.Future[None]) -> None:
        queue = self._waiting.get(namespace)
        if queue and queue.remove(turn) and not queue:
            del self._waiting[namespace]

    def _end(self, namespace: str) -> None:
        self._under_way[namespace] -= 1
        if not self._under_way[namespace]:
            del self._under_way[namespace]

    def vacate(self) -> None:
        """Frees a seat."""
        self._occupied -= 1

    def serve(self) -> None:
        """Starts the requests that may start now."""
        while self._occupied < self._at_once and (namespace := self._next()) is not None:
            if (wait := self._missing()) > 0:
                if self._refill is None:
                    self._refill = asyncio.create_task(self._resume(wait), name="turns")
                return
            queue = self._waiting[namespace]
            turn = queue.next()
            if not queue:
                del self._waiting[namespace]
            if turn.done():  # The waiter was cancelled.
                continue
            if queue:
                # Last in the round.
                self._waiting[namespace] = self._waiting.pop(namespace)
            self._tokens -= 1
            self._occupied += 1
            self._under_way[namespace] = self._under_way.get(namespace, 0) + 1
            turn.set_result(None)

    def _next(self) -> str | None:
        """Returns the namespace that is served next; None if no request may start."""
        for namespace in self._waiting:
            if self._under_way.get(namespace, 0) < self._share:
                return namespace
        return None

    def _missing(self) -> float:
        """Returns the seconds until the rate allows one more request."""
        now = self._timing.clock()
        if self._per_second == float("inf"):
            return 0.0
        self._tokens = min(self._burst, self._tokens + (now - self._filled) * self._per_second)
        self._filled = now
        missing = (1 - self._tokens) / self._per_second
        return missing if missing > _ROUNDING else 0.0

    async def _resume(self, wait: float) -> None:
        try:
            await self._timing.sleep(wait)
        finally:
            self._refill = None
        self.serve()


class _Queue:
    """The waiting requests of a namespace: repetitions after all others."""

    def __init__(self) -> None:
        self._first: deque[asyncio.Future[None]] = deque()
        self._repeated: deque[asyncio.Future[None]] = deque()

    def __bool__(self) -> bool:
        return bool(self._first or self._repeated)

    def add(self, turn: asyncio.Future[None], repeats: bool) -> None:
        (self._repeated if repeats else self._first).append(turn)

    def next(self) -> asyncio.Future[None]:
        """Removes and returns the request that is served next."""
        return (self._first or self._repeated).popleft()

    def remove(self, turn: asyncio.Future[None]) -> bool:
        """Removes a request; returns whether it waited."""
        for queue in (self._first, self._repeated):
            if turn in queue:
                queue.remove(turn)
                return True
        return False


class _Seat:
    """A seat of one request, held until it is freed or the request is slow."""

    def __init__(self, turns: FairTurns) -> None:
        self._turns, self._held = turns, True
        self._timer = asyncio.get_running_loop().call_later(SLOW, self._outlast)

    def free(self) -> None:
        """Gives the seat back, once."""
        self._timer.cancel()
        if self._held:
            self._held = False
            self._turns.vacate()

    def _outlast(self) -> None:
        self.free()
        self._turns.serve()
