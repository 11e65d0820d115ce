"""R31: names that no server resolves delay only their own namespace; others resolve as usual."""

from __future__ import annotations

import asyncio
import json
import tempfile
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web as server

from canarium.kube.http import Client
from canarium.kube.resources import PODS
from canarium.signals.access import AT_ONCE, NamespaceAccess, SharedResources
from canarium.signals.errors import NoAnswer
from canarium.signals.http_client import HttpClient
from http_server import HttpServer
from signals import nameserver, netns

ADDRESS = "10.99.0.1"
NAMES = {
    "metrics.example": ADDRESS,
    "prometheus.monitoring.svc.cluster.example": ADDRESS,
    "loopback.example": "127.0.0.1",
    "metadata.example": "169.254.169.254",
}
RESOLV = "nameserver 127.0.0.1\nsearch risk.svc.cluster.example svc.cluster.example\n"
HOSTS = f"{ADDRESS} kubernetes.example pinned.example\n"


@asynccontextmanager
async def world() -> AsyncIterator[tuple[nameserver.NameServer, int, SharedResources]]:
    async def answer(request: server.BaseRequest) -> server.Response:
        return server.json_response({"items": []})

    shared = SharedResources(HttpClient())
    async with (
        HttpServer(answer, ADDRESS) as listening,
        nameserver.serving(NAMES, "silent.example") as names,
    ):
        yield names, listening.port, shared
    await shared.close()


async def beside_a_silent_name_server() -> dict[str, Any]:
    """How long others take, in seconds, and what happens to names that no server answers."""
    async with world() as (names, port, shared):
        hostile = shared.of("hostile")
        requests = [
            asyncio.create_task(outcome(hostile, f"http://host{n}.silent.example/"))
            for n in range(4 * AT_ONCE)
        ]
        await names.until(4)
        named = await timed(shared.of("other").request("GET", f"http://metrics.example:{port}/"))
        cluster = {"server": f"http://kubernetes.example:{port}"}
        config = {
            "clusters": [{"name": "c", "cluster": cluster}],
            "users": [{"name": "u", "user": {"token": "t"}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "c",
        }
        with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
            json.dump(config, file)
            file.flush()
            async with Client.connect(file.name) as client:
                api = await timed(client.list(PODS))
        done = {await request for request in requests[:AT_ONCE]}
        for request in requests:
            request.cancel()
        await asyncio.gather(*requests, return_exceptions=True)
        return {"named": named, "api": api, "hostile": sorted(done)}


async def outcomes() -> dict[str, str]:
    async with world() as (_, port, shared):
        access = shared.of("risk")
        hosts = (
            "metrics.example", "metrics.example.", "prometheus.monitoring", "pinned.example",
            "nowhere.example", "loopback.example", "metadata.example", "localhost",
        )  # fmt: skip
        answers = await asyncio.gather(
            *(outcome(access, f"http://{host}:{port}/") for host in hosts)
        )
        return dict(zip(hosts, answers, strict=True))


async def outcome(access: NamespaceAccess, url: str) -> str:
    try:
        return str((await access.request("GET", url, patience=30)).status)
    except NoAnswer as error:
        return type(error).__name__


async def timed(request: Awaitable[Any]) -> float:
    began = asyncio.get_running_loop().time()
    await request
    return asyncio.get_running_loop().time() - began


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    made = {"/etc/resolv.conf": tmp_path / "resolv.conf", "/etc/hosts": tmp_path / "hosts"}
    made["/etc/resolv.conf"].write_text(RESOLV)
    made["/etc/hosts"].write_text(HOSTS)
    return made


@pytest.mark.slow
@pytest.mark.rule("R31")
def test_silent_name_servers_of_one_namespace_delay_no_other(files: dict[str, Path]) -> None:
    found = netns.run("signals.test_resolution", "beside_a_silent_name_server", files=files)
    assert found["hostile"] == ["Unreachable"]
    # glibc's resolver would hold its few threads for ten seconds for each of these names.
    assert found["named"] < 1, found
    assert found["api"] < 1, found


@pytest.mark.slow
def test_names_resolve_by_hosts_file_search_domains_and_name_server(files: dict[str, Path]) -> None:
    assert netns.run("signals.test_resolution", "outcomes", files=files) == {
        "metrics.example": "200",
        "metrics.example.": "200",
        "prometheus.monitoring": "200",
        "pinned.example": "200",
        "nowhere.example": "Unreachable",
        "loopback.example": "AddressRefused",
        "metadata.example": "AddressRefused",
        "localhost": "AddressRefused",
    }
