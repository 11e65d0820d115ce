"""Between an operator and its API server: passes requests on, and does some of them harm.

Plain HTTP on loopback to the operator, TLS to the API server; credentials pass through.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
import yaml
from aiohttp import web

_HOPS = {"host", "connection", "transfer-encoding", "content-length", "keep-alive"}


@dataclass(frozen=True)
class Refusal:
    """An answer of the proxy's own; the API server never hears of the request."""

    status: int
    reason: str
    headers: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Lost:
    """The request takes effect, but its answer is lost: the connection breaks, or stays silent."""

    silent: bool = False


@dataclass(frozen=True)
class Reset:
    """The connection breaks before the API server hears of the request."""


@dataclass(frozen=True)
class Slow:
    """The request reaches the API server so many seconds later."""

    seconds: float


Fault = Refusal | Lost | Reset | Slow | None


def is_watch(request: web.Request) -> bool:
    return "watch" in request.query


def is_write(request: web.Request) -> bool:
    """Whether it changes something; the Lease, Events, and what is only asked aside."""
    aside = ("leases" in request.path) or request.path.endswith("/events")
    return request.method != "GET" and not aside and "dryRun" not in request.query


class Proxy:
    """`rule` selects the fault of a request; by default none."""

    def __init__(self) -> None:
        self.rule: Callable[[web.Request], Fault] = lambda request: None
        #: How many requests were harmed.
        self.harmed = 0
        self._watches: dict[web.StreamResponse, asyncio.Future[bytes]] = {}

    @contextlib.asynccontextmanager
    async def before(self, kubeconfig: Path, copy: Path) -> AsyncIterator[Proxy]:
        """Stands before the server of `kubeconfig`; `copy` becomes a kubeconfig of the proxy."""
        config = yaml.safe_load(await asyncio.to_thread(kubeconfig.read_text))
        cluster = config["clusters"][0]["cluster"]
        self._target = cluster["server"]
        # Whose certificate it is does not matter here.
        connector = aiohttp.TCPConnector(ssl=False, limit=0)
        async with aiohttp.ClientSession(
            connector=connector, auto_decompress=False, read_bufsize=2**22
        ) as self._session:
            app = web.Application(client_max_size=2**24)
            app.router.add_route("*", "/{path:.*}", self._answer)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            cluster.pop("certificate-authority-data")
            cluster["server"] = f"http://127.0.0.1:{runner.addresses[0][1]}"
            await asyncio.to_thread(copy.write_text, json.dumps(config))
            try:
                yield self
            finally:
                self.break_watches()
                await runner.cleanup()

    def break_watches(self, code: int | None = None, reason: str = "") -> int:
        """Ends every open watch, with an ERROR event of `code` or in mid-air; how many."""
        last = b""
        if code:
            status = {"kind": "Status", "code": code, "reason": reason, "message": reason}
            # As Go writes it: without spaces.
            event = {"type": "ERROR", "object": status}
            last = json.dumps(event, separators=(",", ":")).encode() + b"\n"
        open_now = [end for end in self._watches.values() if not end.done()]
        for end in open_now:
            end.set_result(last)
        return len(open_now)

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        fault = self.rule(request)
        if fault:
            self.harmed += 1
        if isinstance(fault, Refusal):
            body = {"kind": "Status", "code": fault.status, "reason": fault.reason, "message": ""}
            return web.json_response(body, status=fault.status, headers=fault.headers)
        if isinstance(fault, Reset):
            _cut(request)
            return web.Response(status=502)
        if isinstance(fault, Slow):
            await asyncio.sleep(fault.seconds)
        try:
            async with self._session.request(
                request.method,
                self._target + request.raw_path,
                data=await request.read() or None,
                headers={k: v for k, v in request.headers.items() if k.lower() not in _HOPS},
                timeout=aiohttp.ClientTimeout(total=None),
            ) as upstream:
                if is_watch(request) and upstream.status == 200:
                    return await self._pass_on(request, upstream)
                content = await upstream.read()
        except (aiohttp.ClientError, ConnectionError):
            # Either side has closed the connection, so the request ends.
            _cut(request)
            return web.Response(status=502)
        if isinstance(fault, Lost):
            if fault.silent:
                await asyncio.sleep(60)
            _cut(request)
        headers = {k: v for k, v in upstream.headers.items() if k.lower() not in _HOPS}
        return web.Response(status=upstream.status, body=content, headers=headers)

    async def _pass_on(
        self, request: web.Request, upstream: aiohttp.ClientResponse
    ) -> web.StreamResponse:
        """A watch, line by line, until either side or a fault ends it."""
        response = web.StreamResponse(headers={"Content-Type": "application/json"})
        await response.prepare(request)
        end = self._watches[response] = asyncio.get_running_loop().create_future()
        reading: asyncio.Task[Any] | None = None
        try:
            while not end.done():
                reading = asyncio.create_task(upstream.content.readline())
                await asyncio.wait({reading, end}, return_when=asyncio.FIRST_COMPLETED)
                if reading.done():
                    line = reading.result()
                    if not line:
                        return response
                    await response.write(line)
            if end.result():
                await response.write(end.result())
            else:
                _cut(request)
        finally:
            del self._watches[response]
            if reading and not reading.done():
                reading.cancel()
            # TLS would be shut down in the background, for longer than the event loop may run.
            if upstream.connection and upstream.connection.transport:
                upstream.connection.transport.abort()
        return response


def _cut(request: web.Request) -> None:
    if request.transport:
        request.transport.abort()
