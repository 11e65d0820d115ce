"""Connections and memory for answers, shared out between namespaces."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from aiohttp import web as server

from canarium.signals import access as module
from canarium.signals.access import AT_ONCE, Dropped, SharedResources
from canarium.signals.http_client import HttpClient
from signals.conftest import LOOPBACK, Responder

pytestmark = pytest.mark.rule("R31")


@pytest_asyncio.fixture
async def shared() -> AsyncIterator[SharedResources]:
    made = SharedResources(HttpClient(LOOPBACK))
    yield made
    await made.close()


async def test_servers_that_never_answer_delay_their_own_namespace_only(
    shared: SharedResources, responder: Responder
) -> None:
    under_way, release = 0, asyncio.Event()

    async def handler(request: server.Request) -> server.Response:
        nonlocal under_way
        if request.path == "/silent":
            under_way += 1
            await release.wait()
        return server.Response(text="well")

    responder.handler = handler
    evil = [
        asyncio.create_task(
            shared.of("evil").request("GET", f"{responder.url}/silent", patience=60)
        )
        for _ in range(10 * AT_ONCE)
    ]
    async with asyncio.timeout(10):
        while under_way < AT_ONCE:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    began = time.monotonic()
    answer = await shared.of("good").request("GET", responder.url, patience=5)
    assert answer.body == b"well"
    assert time.monotonic() - began < 1
    assert under_way == AT_ONCE
    for task in evil:
        task.cancel()
    await asyncio.gather(*evil, return_exceptions=True)
    release.set()


async def test_namespace_that_receives_most_gives_way_when_memory_is_short(
    shared: SharedResources, responder: Responder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "RECEIVING", 4 << 20)
    release = asyncio.Event()

    async def handler(request: server.Request) -> server.StreamResponse:
        if request.path == "/small":
            return server.Response(text="x" * 1000)
        response = server.StreamResponse()
        await response.prepare(request)
        await response.write(b"x" * (1 << 20))
        await release.wait()
        return response

    responder.handler = handler
    evil = [
        asyncio.create_task(shared.of("evil").request("GET", f"{responder.url}/large", patience=30))
        for _ in range(6)
    ]
    done, _ = await asyncio.wait(evil, return_when=asyncio.FIRST_COMPLETED, timeout=10)
    assert all(isinstance(task.exception(), Dropped) for task in done)
    assert done
    answer = await shared.of("good").request("GET", f"{responder.url}/small", patience=5)
    assert len(answer.body) == 1000
    release.set()
    results = await asyncio.gather(*evil, return_exceptions=True)
    assert 2 <= sum(isinstance(result, Dropped) for result in results) < 6


async def test_answer_that_is_kept_counts_as_received(
    shared: SharedResources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the answer of stable while the candidate is asked the same."""
    monkeypatch.setattr(module, "RECEIVING", 100)
    entered: list[int] = []

    async def keep(namespace: str, size: int) -> None:
        async with shared.of(namespace).keeping(size):
            entered.append(size)
            await asyncio.sleep(60)

    evil = [asyncio.create_task(keep("evil", size)) for size in (40, 50)]
    await asyncio.sleep(0)
    assert entered == [40, 50]
    good = asyncio.create_task(keep("good", 30))
    done, _ = await asyncio.wait([*evil, good], return_when=asyncio.FIRST_COMPLETED, timeout=10)
    assert done == {evil[1]}, "the largest answer of the namespace with the most is dropped"
    assert isinstance(evil[1].exception(), Dropped)
    evil[0].cancel()
    good.cancel()
    await asyncio.gather(evil[0], good, return_exceptions=True)
    async with asyncio.timeout(10), shared.of("good").keeping(100):
        pass  # Nothing is counted any more.
