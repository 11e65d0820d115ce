"""`/healthz` (is anything stuck?) and `/readyz` (are the caches warm?) over HTTP.

Not kopf's endpoint: that has one path, and answers from a cache for ten seconds. A stuck event
loop answers neither, and so fails the probe too.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from canarium.host.listeners import listener

Complaints = Callable[[], list[str]]


@asynccontextmanager
async def serve_probes(
    address: str, port: int, *, alive: Complaints, ready: Complaints
) -> AsyncIterator[int]:
    """Answers probes meanwhile: 200, or 503 with the complaints; yields the port (0: a free one).

    Raises OSError when the port is taken.
    """
    app = web.Application()
    app.router.add_get("/healthz", _handler(alive))
    app.router.add_get("/readyz", _handler(ready))
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    try:
        await web.SockSite(runner, listener(address, port)).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def _handler(complaints: Complaints) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    async def answer(request: web.Request) -> web.StreamResponse:
        found = complaints()
        text = "".join(f"{line}\n" for line in found) or "ok\n"
        return web.Response(status=503 if found else 200, text=text)

    return answer
