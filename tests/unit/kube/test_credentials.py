"""What happens when the API server no longer takes our token, or us as the writer."""

from __future__ import annotations

import asyncio
from typing import Any

import aiohttp
import pytest

from canarium.kube.credentials import ApiCredentials
from canarium.kube.errors import ApiError
from canarium.kube.http import Client
from canarium.kube.resources import DEPLOYMENTS, PODS
from canarium.kube.throttle import Throttle


class Configuration:
    def __init__(self, host: str, token: str) -> None:
        self.host, self.token = host, token

    async def get_api_key_with_prefix(self, name: str) -> str | None:
        return self.token


class Server:
    """Takes one token only; a plugin gives out `tokens`, one after the other."""

    def __init__(self, api: Any, *tokens: str) -> None:
        self.api, self.tokens, self.loads = api, list(tokens), 0
        api.requires("Bearer good")

    async def load(self) -> Configuration:
        self.loads += 1
        await asyncio.sleep(0)
        return Configuration(self.api.url, self.tokens.pop(0))


def client_of(server: Server, session: aiohttp.ClientSession) -> Client:
    old = Configuration(server.api.url, "Bearer old")
    return Client(old, session, credentials=ApiCredentials(old, server.load))


async def test_refused_token_is_renewed_and_the_request_sent_once_more(api: Any) -> None:
    server = Server(api, "Bearer good")
    async with aiohttp.ClientSession() as session:
        client = client_of(server, session)
        assert (await client.list(PODS))["items"] == []
        await client.list(PODS)
    sent = [request.headers["Authorization"] for request in api.requests]
    assert sent == ["Bearer old", "Bearer good", "Bearer good"]


async def test_concurrent_refused_requests_renew_the_token_once(api: Any) -> None:
    server = Server(api, "Bearer good")
    async with aiohttp.ClientSession() as session:
        client = client_of(server, session)
        await asyncio.gather(*(client.list(PODS) for _ in range(5)))
    assert server.loads == 1


async def test_token_that_stays_refused_is_an_error_after_two_tries(api: Any) -> None:
    server = Server(api, "Bearer bad")
    async with aiohttp.ClientSession() as session:
        with pytest.raises(ApiError) as caught:
            await client_of(server, session).list(PODS)
    assert caught.value.status == 401
    assert len(api.requests) == 2


async def test_watch_is_signed_afresh_too(api: Any) -> None:
    server = Server(api, "Bearer good")
    api.watches = [[{"type": "BOOKMARK", "object": {}}]]
    async with aiohttp.ClientSession() as session:
        events = client_of(server, session).watch(PODS, None, resourceVersion="1")
        assert (await anext(events))["type"] == "BOOKMARK"
        await events.aclose()  # type: ignore[attr-defined]


async def test_nothing_is_written_when_the_lease_has_run_out(api: Any, client: Client) -> None:
    left = [5.0]
    guarded = client.guarded(Throttle(100, 10), lambda namespace: left[0])
    await guarded.create(DEPLOYMENTS, "ns", {"metadata": {"name": "web"}})
    left[0] = 0.0
    with pytest.raises(ApiError, match="NotLeading"):
        await guarded.create(DEPLOYMENTS, "ns", {"metadata": {"name": "other"}})
    await guarded.list(DEPLOYMENTS, "ns")
    assert [r.method for r in api.requests] == ["POST", "GET"]


async def test_write_under_way_ends_with_the_lease(api: Any, client: Client) -> None:
    api.slow = asyncio.Event()
    guarded = client.guarded(Throttle(100, 10), lambda namespace: 0.05)
    began = asyncio.get_running_loop().time()
    with pytest.raises(ApiError):
        await guarded.create(DEPLOYMENTS, "ns", {"metadata": {"name": "web"}})
    assert asyncio.get_running_loop().time() - began < 2
    api.slow.set()
