"""Receivers of CloudEvents that answer, answer late, never, or with an error, or do not listen."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from aiohttp import web

from sandbox.ports import free_ports

#: Seconds after which a slow sink answers: less than the 15 s for which the notifier waits.
LATE = 10.0


class Conduct(StrEnum):
    """How a sink treats a notification."""

    PROMPT = "answers at once"
    LATE = "answers after 10 s"
    SILENT = "never answers"
    FAILING = "answers 500"
    DOWN = "does not listen"


#: Time and type of a transition; the time identifies it, and orders those of a model.
Entry = tuple[str, str]


@dataclass
class Sink:
    """A receiver at a port of loopback, and what it has accepted, in order."""

    conduct: Conduct
    port: int = field(default_factory=lambda: free_ports(1)[0])
    accepted: list[Entry] = field(default_factory=list)
    #: Requests, the refused and abandoned ones included.
    requests: int = 0
    _runner: web.ServerRunner | None = None
    _never: asyncio.Event = field(default_factory=asyncio.Event)

    async def start(self) -> None:
        """Listens, unless it is one that does not."""
        if self.conduct is not Conduct.DOWN:
            await self._listen()

    async def recover(self) -> None:
        """Accepts each notification at once from now on."""
        down, self.conduct = self.conduct is Conduct.DOWN, Conduct.PROMPT
        if down:
            await self._listen()

    async def stop(self) -> None:
        if self._runner:
            await self._runner.cleanup()

    async def _listen(self) -> None:
        server = web.Server(self._handle, access_log=None)
        self._runner = web.ServerRunner(server, shutdown_timeout=0.1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", self.port).start()

    async def _handle(self, request: web.BaseRequest) -> web.Response:
        self.requests += 1
        event: dict[str, Any] = json.loads(await request.text())
        if self.conduct is Conduct.FAILING:
            return web.Response(status=500)
        if self.conduct is Conduct.LATE:
            await asyncio.sleep(LATE)
        if self.conduct is Conduct.SILENT:
            await self._never.wait()
        self.accepted.append((event["time"], event["data"]["type"]))
        return web.Response()


@asynccontextmanager
async def listening(sinks: Iterable[Sink]) -> AsyncIterator[None]:
    """Runs receivers meanwhile."""
    try:
        for sink in sinks:
            await sink.start()
        yield
    finally:
        for sink in sinks:
            await sink.stop()
