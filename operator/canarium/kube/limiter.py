"""Limits requests in flight to what the API server admits, as learned from its rejections.

Theory: additive increase, multiplicative decrease, as TCP's congestion avoidance. An API server
has a number of seats (priority and fairness, or `--max-requests-inflight`) that we share with
unknown clients, and responds with 429 when they are taken. Each such answer shrinks the
limit; each answer to a request that needed the limit widens it by a constant. In the balance of
both, about `_GAIN / ((1 - _SHRINK) * limit)` of all requests are refused: a tenth at a limit of 4.
Refused requests cost the server next to nothing; seats left empty cost us throughput.

- An answer 503 or 504 without Retry-After may be an overload, or a fault that any load has: it
  shrinks the limit to no less than a quarter of its maximum. Fewer requests would not end a fault.
- The limit shrinks once for all requests that were in flight together: one crowd is one signal.
- Requests that wait for a seat are served by urgency, then by arrival. Writes that move traffic
  away from a failed version (`FIRST`) wait only for others of their kind, never for other requests
  in flight, and nothing else is sent while one of them waits. If the server rejects one, a seat is
  kept for it until it is sent again: otherwise our own requests would keep all seats taken.
- A request that has had no answer for a second holds no seat of ours while the server refuses
  nothing: a slow webhook of one namespace is not a reason to send less for others.
"""

from __future__ import annotations

import asyncio
import heapq
from dataclasses import dataclass

from canarium.kube.clock import Timing
from canarium.kube.throttle import FIRST, urgency

#: Maximum reads in flight, so that starting many watches does not flood the server.
_READS = 32
_SHRINK = 0.8
_GAIN = 0.1
_SLOW = 1.0
#: Part of the maximum that is kept while the server only may be overloaded.
_LEAST = 0.25
#: Seconds that a seat is reserved: longer than a rollback waits to retry (`kube.retries`).
_RESERVED = 0.4


@dataclass(eq=False, slots=True)
class Seat:
    """One request in flight."""

    first: bool
    sent: float
    counts: bool = True


class Limiter:
    """A limit between 1 and `most`, where it starts."""

    def __init__(self, most: int, timing: Timing | None = None) -> None:
        if most < 1:
            raise ValueError("the limit of requests in flight must be at least 1")
        self._most, self._timing = most, timing or Timing()
        self.limit = float(most)
        self._shrunk = self._reserved_until = self._timing.clock()
        self._serial = 0
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        #: Requests in flight that hold a seat, and rollbacks among them.
        self._in_flight = self._first = 0

    @property
    def in_flight(self) -> int:
        return self._in_flight

    async def take(self) -> Seat:
        """Waits until one more request may be sent; `give_back` has to be called for it."""
        how = urgency.get()
        if self._waiting or not self._fits(how):
            turn = asyncio.get_running_loop().create_future()
            self._serial += 1
            heapq.heappush(self._waiting, (how, self._serial, turn))
            self._serve()
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._leave(how <= FIRST)
                raise
        else:
            self._enter(how)
        seat = Seat(how <= FIRST, self._timing.clock())
        asyncio.get_running_loop().call_later(_SLOW, self._outlast, seat)
        return seat

    def give_back(self, seat: Seat, *, refused: bool = False, may_be_fault: bool = False) -> None:
        """Ends a request; `refused`: the server had no seat for it. With `may_be_fault`, the answer
        may have another cause."""
        if refused:
            self._shrink(seat, max(1.0, _LEAST * self._most) if may_be_fault else 1.0)
            if seat.first:
                self._reserved_until = self._timing.clock() + _RESERVED
                asyncio.get_running_loop().call_later(_RESERVED + 0.01, self._serve)
        elif self._in_flight + 1 > self.limit:
            self.limit = min(float(self._most), self.limit + _GAIN)
        if seat.counts:
            seat.counts = False
            self._leave(seat.first)

    def _shrink(self, seat: Seat, least: float) -> None:
        if seat.sent < self._shrunk or self.limit <= least:
            return
        # If the limit was not used up, what was in flight was too much.
        self.limit = max(least, _SHRINK * min(self.limit, max(1, self._in_flight)))
        self._shrunk = self._timing.clock()

    def _outlast(self, seat: Seat) -> None:
        if seat.counts and self.limit >= self._most:
            seat.counts = False
            self._leave(seat.first)

    def _fits(self, how: int) -> bool:
        if how <= FIRST:
            return self._first + 1 <= self.limit
        reserved = self._timing.clock() < self._reserved_until
        return self._in_flight + 1 + reserved <= self.limit

    def _enter(self, how: int) -> None:
        self._in_flight += 1
        self._first += how <= FIRST

    def _leave(self, first: bool) -> None:
        self._in_flight -= 1
        self._first -= first
        self._serve()

    def _serve(self) -> None:
        while self._waiting and (self._waiting[0][2].done() or self._fits(self._waiting[0][0])):
            how, _, turn = heapq.heappop(self._waiting)
            if not turn.done():  # Otherwise the waiter was cancelled.
                self._enter(how)
                turn.set_result(None)


@dataclass(frozen=True, slots=True)
class ConcurrencyLimits:
    """How many requests may be in flight. API servers count reads and writes separately."""

    writes: Limiter
    reads: Limiter

    @classmethod
    def of(cls, writes: int) -> ConcurrencyLimits:
        return cls(Limiter(writes), Limiter(_READS))
