"""`/healthz` (is anything stuck?) and `/readyz` (are the caches warm?) over HTTP.

kopf's own endpoint is not used: it has one path, and answers from a cache for ten seconds. A stuck
event loop answers neither path, and so fails the probe too.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from aiohttp import web

from canarium.telemetry.http_server import Handler, serve

#: Returns what is wrong, one line each.
Check = Callable[[], list[str]]


def serve_probes(
    address: str, port: int, *, alive: Check, ready: Check
) -> AbstractAsyncContextManager[int]:
    """Answers probes while the context is open: 200, or 503 with what is wrong.

    Yields the port (0: a free one). Raises OSError when the port is taken.
    """
    return serve(address, port, {"/healthz": _handler(alive), "/readyz": _handler(ready)})


def _handler(check: Check) -> Handler:
    async def answer(request: web.Request) -> web.StreamResponse:
        problems = check()
        text = "".join(f"{line}\n" for line in problems) or "ok\n"
        return web.Response(status=503 if problems else 200, text=text)

    return answer
