"""What befalls requests and watches meanwhile. At random, by a seed that is printed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from aiohttp import web

from sandbox.fault_proxy import Fault, Lost, Proxy, Refusal, Reset, Slow, is_write

#: Every so many seconds all watches break.
_WATCHES = 30.0
#: Each fault happens to one write of so many, at random.
_ONE_OF = 50
_FAULTS: tuple[Fault, ...] = (
    Refusal(503, "ServiceUnavailable"),
    Refusal(429, "TooManyRequests", {"Retry-After": "1"}),
    Reset(),
    Lost(),
    Slow(1.0),
)


def rule(chance: random.Random) -> Callable[[web.Request], Fault]:
    """Returns what selects the fault of a request."""

    def fault_of(request: web.Request) -> Fault:
        if not is_write(request):
            return None
        number = chance.randrange(_ONE_OF)
        return _FAULTS[number] if number < len(_FAULTS) else None

    return fault_of


async def break_watches(proxy: Proxy) -> None:
    """Breaks all watches now and then, until cancelled."""
    while True:
        await asyncio.sleep(_WATCHES)
        proxy.break_watches()
