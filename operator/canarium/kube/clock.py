"""Clocks, sleep and randomness as an argument, so that tests can replace them."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field


def _boottime() -> float:
    """Returns monotonic seconds that also pass while the machine is suspended."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True, slots=True)
class Timing:
    """The only source of time and randomness in kube and engine.

    `now` returns POSIX seconds and may jump; `clock` returns monotonic seconds. Timeouts use the
    event loop: a test with a loop in virtual time passes the loop's `time` as `clock`.
    """

    now: Callable[[], float] = time.time
    clock: Callable[[], float] = _boottime if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: random.Random = field(default_factory=random.Random)

    def jitter(self, seconds: float) -> float:
        """Returns between half of `seconds` and all of it, so that many clients do not retry at
        once."""
        return seconds * self.chance.uniform(0.5, 1.0)
