"""kopf reads its list again where it would end the process."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from itertools import islice
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from canarium import GROUP, PLURAL
from canarium.host.kopf_retries import EndlessBackoff, middleware

_PATH = f"/apis/{GROUP}/v1alpha1/{PLURAL}"
ADDED = {"type": "ADDED", "object": {"metadata": {"name": "m", "resourceVersion": "7"}}}
BOOKMARK = {"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "9"}}}


def error(code: int) -> dict[str, Any]:
    return {"type": "ERROR", "object": {"kind": "Status", "code": code, "reason": "Why"}}


class Answering:
    """An API server with scripted answers: a status, and what it writes."""

    def __init__(self) -> None:
        self.status, self.chunks = 200, list[bytes]()
        self.url = ""

    def events(self, *events: Any) -> None:
        text = b"".join(json.dumps(e, separators=(",", ":")).encode() + b"\n" for e in events)
        # In the middle of lines, as a network cuts them.
        self.chunks = [text[i : i + 10] for i in range(0, len(text), 10)]

    async def answer(self, request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(status=self.status)
        await response.prepare(request)
        for chunk in self.chunks:
            await response.write(chunk)
        return response


@pytest.fixture
async def server() -> AsyncIterator[Answering]:
    answering = Answering()
    app = web.Application()
    app.router.add_get("/{path:.*}", answering.answer)
    async with TestServer(app, skip_url_asserts=True) as server:
        answering.url = str(server.make_url(_PATH))
        yield answering


async def answer_of(server: Answering, query: str = "?watch=true") -> tuple[int, list[Any]]:
    """Status and events as a client behind the middleware sees them, read as kopf reads them."""
    async with (
        aiohttp.ClientSession(middlewares=(middleware,)) as session,
        session.get(server.url + query) as response,
    ):
        data = b"".join([chunk async for chunk in response.content.iter_chunked(2**20)])
        return response.status, [json.loads(line) for line in data.splitlines()]


async def test_events_pass_as_they_are(server: Answering) -> None:
    server.events(ADDED, BOOKMARK)
    assert await answer_of(server) == (200, [ADDED, BOOKMARK])


@pytest.mark.parametrize("code", [410, 500, 504])
async def test_error_in_a_watch_becomes_410(server: Answering, code: int) -> None:
    server.events(ADDED, error(code))
    status, events = await answer_of(server)
    assert status == 200
    assert events[0] == ADDED
    assert events[1]["object"]["code"] == 410


@pytest.mark.parametrize("status", [400, 404, 410])
async def test_refused_watch_becomes_410_inside_a_watch(server: Answering, status: int) -> None:
    server.status = status
    server.events({"kind": "Status", "code": status})
    seen, events = await answer_of(server)
    assert (seen, [e["object"]["code"] for e in events]) == (200, [410])


@pytest.mark.parametrize("status", [401, 403, 429, 500, 503])
async def test_errors_that_kopf_retries_are_left_to_kopf(server: Answering, status: int) -> None:
    server.status = status
    assert (await answer_of(server))[0] == status


async def test_lists_are_not_changed(server: Answering) -> None:
    server.status = 410
    assert (await answer_of(server, "?limit=500"))[0] == 410


def test_retries_never_end_and_never_wait_long() -> None:
    waits = list(islice(EndlessBackoff(), 10_000))
    assert len(waits) == 10_000
    assert max(waits) <= 4.0
    assert list(islice(EndlessBackoff(), 3)) == waits[:3], "each request starts again"
