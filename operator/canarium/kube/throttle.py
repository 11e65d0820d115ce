"""Limits the operator's writes: so many per second, a burst above it, urgent ones first.

A Retry-After of the server applies to the request that received it, not here: one rejection does
not delay all others.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from canarium.kube.clock import Timing

#: Rollbacks and renewals of the Lease: they bypass the throttle.
FIRST = -1
#: Urgency of the requests of the current task; lower is sooner.
urgency: ContextVar[int] = ContextVar("urgency", default=1)


@contextmanager
def first() -> Iterator[None]:
    """Lets requests in this context bypass the throttle."""
    before = urgency.set(FIRST)
    try:
        yield
    finally:
        urgency.reset(before)


class Throttle:
    """A token bucket. Writes that cannot be sent at once wait by urgency, then by arrival."""

    def __init__(self, qps: float, burst: int, timing: Timing | None = None) -> None:
        if qps <= 0 or burst < 1:
            raise ValueError("qps must be above 0 and burst at least 1")
        self._qps, self._burst = qps, burst
        self._timing = timing or Timing()
        self._tokens = float(burst)
        self._filled = self._timing.clock()
        self._serial = 0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._pump: asyncio.Task[None] | None = None

    async def admit(self) -> None:
        """Waits until one more write may be sent."""
        if urgency.get() <= FIRST or (not self._waiting and self._due() == 0):
            self._tokens -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        self._serial += 1
        heapq.heappush(self._waiting, (urgency.get(), self._serial, turn))
        if self._pump is None:
            self._pump = asyncio.create_task(self._serve(), name="throttle")
        await turn

    def _due(self) -> float:
        """Returns the seconds until a write may be sent."""
        now = self._timing.clock()
        self._tokens = min(self._burst, self._tokens + (now - self._filled) * self._qps)
        self._filled = now
        missing = max(0.0, (1 - self._tokens) / self._qps)
        # Ignore what rounding leaves.
        return missing if missing > 1e-9 else 0.0

    async def _serve(self) -> None:
        while self._waiting:
            wait = self._due()
            if wait > 0:
                await self._timing.sleep(wait)
                continue
            *_, turn = heapq.heappop(self._waiting)
            if not turn.done():  # Otherwise the waiter was cancelled.
                self._tokens -= 1
                turn.set_result(None)
        self._pump = None
