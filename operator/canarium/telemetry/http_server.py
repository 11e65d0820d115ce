"""The operator's own HTTP endpoints, on its event loop, for IPv4 and IPv6 alike."""

from __future__ import annotations

import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager

from aiohttp import web

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def serve(
    address: str,
    port: int,
    handlers: Mapping[str, Handler],
    tls: ssl.SSLContext | None = None,
) -> AsyncIterator[int]:
    """Answers GET requests by path while the context is open; yields the port (0: a free one).

    With `tls`, only over HTTPS.

    Raises OSError when the port is taken.
    """
    app = web.Application()
    for path, handler in handlers.items():
        app.router.add_get(path, handler)
    runner = web.AppRunner(app, access_log=None, handle_signals=False)
    await runner.setup()
    try:
        await web.SockSite(runner, listener(address, port), ssl_context=tls).start()
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


def listener(address: str, port: int) -> socket.socket:
    """Returns a listening socket at `address` ("", 0.0.0.0 or ::: all addresses of both families).

    Port 0 is a free one, the same for both families. Raises OSError when the port is taken.
    """
    if address in ("", "0.0.0.0", "::"):
        try:
            # One socket for both: a pod may have addresses of one family, or get the other later.
            return socket.create_server(("::", port), family=socket.AF_INET6, dualstack_ipv6=True)
        except (OSError, ValueError):
            # A kernel without IPv6. A port that is taken fails again.
            return socket.create_server(("0.0.0.0", port))
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return socket.create_server((address, port), family=family)
