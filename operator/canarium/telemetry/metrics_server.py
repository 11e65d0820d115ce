"""`/metrics` over HTTP."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from canarium.telemetry.http_server import serve


def serve_metrics(
    registry: CollectorRegistry, host: str, port: int
) -> AbstractAsyncContextManager[int]:
    """Serves the metrics of `registry` while the context is open; yields the port (0: a free one).

    Raises OSError when the port is taken.
    """

    async def answer(request: web.Request) -> web.Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        body = encode(registry)
        return web.Response(body=body, headers={"Content-Type": content_type})

    return serve(host, port, {"/metrics": answer})
