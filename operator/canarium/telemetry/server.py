"""`/metrics` over HTTP, on the operator's own event loop."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client.exposition import choose_encoder

from canarium.host.listeners import listener
from canarium.telemetry.metrics import Metrics


@asynccontextmanager
async def served(metrics: Metrics, host: str, port: int) -> AsyncIterator[int]:
    """Serves `metrics` on `port` (0: a free one) meanwhile; yields the port. Raises OSError."""

    async def answer(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        body = encode(metrics.registry)
        return web.Response(body=body, headers={"Content-Type": content_type})

    app = web.Application()
    app.router.add_get("/metrics", answer)
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    try:
        site = web.SockSite(runner, listener(host, port))
        await site.start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()
