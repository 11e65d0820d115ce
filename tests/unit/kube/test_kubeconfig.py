"""Fields of a kubeconfig beside the server's address: proxy and server name."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer

from canarium.kube.http import Client
from canarium.kube.resources import PODS


def written(folder: Path, cluster: dict[str, Any], **contexts: str | None) -> str:
    """Writes a kubeconfig; `contexts` are names with their namespaces, the first is current."""
    body = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": cluster}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [
            {
                "name": name,
                "context": {
                    "cluster": "c",
                    "user": "u",
                    **({"namespace": namespace} if namespace else {}),
                },
            }
            for name, namespace in contexts.items()
        ],
        "current-context": next(iter(contexts)),
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(body))
    return str(path)


@pytest_asyncio.fixture
async def proxy() -> AsyncIterator[tuple[TestServer, list[str]]]:
    """A proxy that answers instead of the API server, and the URLs that it was asked for."""
    asked: list[str] = []

    async def answer(request: web.Request) -> web.Response:
        asked.append(request.raw_path if "://" in request.raw_path else str(request.url))
        return web.json_response({"items": []})

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    server = TestServer(application)
    await server.start_server()
    yield server, asked
    await server.close()


async def test_requests_go_through_the_proxy_of_the_kubeconfig(
    tmp_path: Path, proxy: tuple[TestServer, list[str]]
) -> None:
    # G6
    server, asked = proxy
    cluster = {"server": "http://api.example.invalid:6443", "proxy-url": str(server.make_url("/"))}
    async with Client.connect(written(tmp_path, cluster, one=None)) as client:
        await client.list(PODS)
    assert [url.split("/api/")[0] for url in asked] == ["http://api.example.invalid:6443"]
