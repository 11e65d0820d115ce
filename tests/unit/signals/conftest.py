"""A server on loopback with answers set by a test, and a client that may ask it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web as server

from canarium.api.effective_smoke_tests import EffectiveSmokeTest, effective_smoke_tests
from canarium.api.smoke_tests import SmokeTest
from canarium.signals.access import NamespaceAccess, SharedResources
from canarium.signals.addresses import AddressPolicy
from canarium.signals.http_client import HttpClient
from http_server import HttpServer

LOOPBACK = AddressPolicy.of(("127.0.0.0/8", "::1"))
Handler = Callable[[server.Request], Awaitable[server.Response]]


def smoke_test(fields: Mapping[str, Any]) -> EffectiveSmokeTest:
    """A smoke test of a spec, with its defaults."""
    return effective_smoke_tests([SmokeTest.model_validate(fields)])[0]


class Responder:
    """`handler` answers everything; the requests so far are kept."""

    def __init__(self) -> None:
        self.requests: list[tuple[str, str, bytes]] = []
        self.headers: list[dict[str, str]] = []
        self.port = 0
        self.handler: Handler = self._empty
        self._closing = asyncio.Event()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def responds(self, text: str, status: int = 200) -> None:
        async def handler(request: server.Request) -> server.Response:
            return server.Response(text=text, status=status)

        self.handler = handler

    async def hang(self, request: server.Request) -> server.Response:
        """A handler that answers when the test is over."""
        await self._closing.wait()
        return server.Response()

    def close(self) -> None:
        self._closing.set()

    async def _empty(self, request: server.Request) -> server.Response:
        return server.Response()

    async def answer(self, request: server.Request) -> server.StreamResponse:
        self.requests.append((request.method, request.path_qs, await request.read()))
        self.headers.append(dict(request.headers))
        return await self.handler(request)


@pytest.fixture(autouse=True)
def quick_attempts(monkeypatch: pytest.MonkeyPatch) -> None:
    """No test waits half a second before a lost connection is tried again."""
    monkeypatch.setattr("canarium.signals.smoke._APART", 0.01)


@pytest_asyncio.fixture
async def responder() -> AsyncIterator[Responder]:
    made = Responder()
    async with HttpServer(made.answer) as listening:
        made.port = listening.port
        yield made
        made.close()


@pytest_asyncio.fixture
async def web() -> AsyncIterator[NamespaceAccess]:
    """What one namespace may use, with real worker processes for evaluations."""
    shared = SharedResources(HttpClient(LOOPBACK))
    yield shared.of("risk")
    await shared.close()
