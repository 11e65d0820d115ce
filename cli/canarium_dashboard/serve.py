"""Runs the application with uvicorn."""

from __future__ import annotations

import socket
from typing import Any

import uvicorn
from starlette.applications import Starlette

#: Seconds that a stopping process gives open pages; browsers connect again by themselves.
_GRACE = 3


class Server(uvicorn.Server):
    """uvicorn, which calls `started` once it accepts connections."""

    def __init__(self, config: uvicorn.Config, started: Any = None) -> None:
        super().__init__(config)
        self._started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        if self.started and self._started:
            self._started()


def server(app: Starlette, started: Any = None, **options: Any) -> Server:
    """Returns the server. It trusts no header about addresses, and does not name itself."""
    config = uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_graceful_shutdown=_GRACE,
        h11_max_incomplete_event_size=64 * 1024,
        ws="none",
        http="h11",
        loop="asyncio",
        **options,
    )
    return Server(config, started)
