"""Limits reads of aggregated APIs, which authors of models cause, for the whole process.

Each of them occupies a seat of the API server while an adapter answers. The limit is a constant:
what an adapter answers does not show what the API server admits. One that is slow delays no other
for long, as a request without an answer for a second holds no seat of ours (`limiter`).
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from canarium.kube.clock import Timing
from canarium.kube.limiter import Limiter
from canarium.kube.throttle import Throttle

#: Requests in flight, also the burst, and requests per second.
AT_ONCE, PER_SECOND = 8, 20.0


class AggregatedLimit:
    """A limit on requests in flight and on their rate."""

    def __init__(self, timing: Timing | None = None) -> None:
        self._throttle = Throttle(PER_SECOND, AT_ONCE, timing)
        self._limiter = Limiter(AT_ONCE, timing)

    @asynccontextmanager
    async def turn(self) -> AsyncIterator[None]:
        """Waits until a request may be sent."""
        await self._throttle.admit()
        seat = await self._limiter.take()
        try:
            yield
        finally:
            self._limiter.give_back(seat)
