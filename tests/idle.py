"""What is idle until a test moves it: a clock, and an API server that never answers."""

from __future__ import annotations

import asyncio
from typing import Any


class Clock:
    """Seconds that pass only where a test adds them to `now`."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class SleepingClock(Clock):
    """A clock that only sleeping moves, from 0."""

    now = 0.0

    async def sleep(self, seconds: float) -> None:
        self.now += seconds
        await asyncio.sleep(0)


class Silent:
    """An API server that never answers."""

    def __getattr__(self, name: str) -> Any:
        async def hang(*args: Any, **query: Any) -> Any:
            await asyncio.Event().wait()

        return hang
