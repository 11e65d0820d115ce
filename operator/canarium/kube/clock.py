"""Clocks, sleep and chance as an argument, so that tests can bring their own."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field


def _boottime() -> float:
    """Seconds that also pass while the machine is suspended, where the system counts them."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


@dataclass(frozen=True, slots=True)
class Timing:
    """All that kube and engine know of time.

    `now` gives POSIX seconds and may jump; `clock` gives seconds that only grow. Timeouts are the
    event loop's: who brings a loop in virtual time gives its `time` as `clock`.
    """

    now: Callable[[], float] = time.time
    clock: Callable[[], float] = _boottime if hasattr(time, "CLOCK_BOOTTIME") else time.monotonic
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    chance: random.Random = field(default_factory=random.Random)

    def jitter(self, seconds: float) -> float:
        """Returns between half of `seconds` and all of it, so that many clients do not retry at
        once."""
        return seconds * self.chance.uniform(0.5, 1.0)
