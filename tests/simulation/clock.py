"""Virtual time: an event loop whose clock jumps to the next timer instead of waiting for it.

Own code, forty lines, since a state machine steps the loop by hand between its rules, which the
libraries for virtual time (plugins for whole async tests) do not offer.
"""

from __future__ import annotations

import asyncio
import math
import selectors
from collections.abc import Callable, Coroutine
from contextvars import Context
from datetime import UTC, datetime
from typing import Any

#: Where virtual time begins, in POSIX seconds: a whole second, as Kubernetes' own stamps are.
EPOCH = 1_800_000_000.0
#: Timers expire at multiples of this many seconds, about a microsecond. asyncio runs a timer up to
#: a nanosecond early: after rounding, its task would find nothing due and wait for the remaining
#: fraction, and two such tasks would keep each other busy without any time passing.
_TICK = 2.0**-20
#: More rounds of the loop at one moment are a loop without end.
_MOST_ROUNDS = 100_000


class _Jumping(selectors.SelectSelector):
    """Never waits: to wait for `timeout` seconds is to move the clock by as much."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self._rounds = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is None:
            raise RuntimeError("every task waits for another one: nothing can ever happen again")
        self._rounds = 0 if timeout > 0 else self._rounds + 1
        if self._rounds > _MOST_ROUNDS:
            self._rounds = 0
            raise RuntimeError(f"tasks wake each other indefinitely at {self.now} s")
        self.now += max(timeout, 0.0)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop in virtual time; no I/O is possible in it."""

    def __init__(self) -> None:
        self._jumping = _Jumping()
        super().__init__(self._jumping)

    def time(self) -> float:
        return self._jumping.now

    def call_at(
        self,
        when: float,
        callback: Callable[..., object],
        *args: Any,
        context: Context | None = None,
    ) -> asyncio.TimerHandle:
        tick = math.ceil(when / _TICK) * _TICK if math.isfinite(when) else when
        return super().call_at(tick, callback, *args, context=context)

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Runs `work` to its end, with all other tasks of the loop beside it."""
        return self.run_until_complete(work)

    def advance(self, seconds: float) -> None:
        """Lets `seconds` of virtual time pass."""
        self.run_until_complete(asyncio.sleep(seconds))


class Clock:
    """The cluster's time, and the operator's idea of it, `skew` seconds off."""

    def __init__(self, loop: VirtualLoop) -> None:
        self._loop = loop
        self.skew = 0.0
        self.began = self.now()

    def now(self) -> float:
        """POSIX seconds by the cluster's clocks."""
        return EPOCH + self._loop.time()

    def wall(self) -> float:
        """POSIX seconds by the clock of the operator's machine."""
        return self.now() + self.skew


def stamp(moment: float) -> str:
    """RFC 3339 in whole seconds, rounded down, as Kubernetes writes times."""
    return datetime.fromtimestamp(int(moment), UTC).isoformat().replace("+00:00", "Z")


def seconds(text: str) -> float:
    """POSIX seconds of what `stamp` wrote."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
