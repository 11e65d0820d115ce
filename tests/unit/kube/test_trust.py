"""G3: the cluster's CA is rotated under a running client, on a real TLS server."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import shutil
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web
from kubernetes.aio.client import Configuration as KubernetesConfiguration

from canarium.kube.errors import ApiError
from canarium.kube.http import Client
from canarium.kube.resources import PODS
from canarium.kube.trust import Trust
from http_server import HttpServer
from sandbox.pki import Authority
from sandbox.ports import free_ports


@pytest.fixture(scope="module")
def authorities(tmp_path_factory: pytest.TempPathFactory) -> tuple[Authority, Authority]:
    made = tuple(Authority(tmp_path_factory.mktemp(name)) for name in ("old", "new"))
    for one in made:
        one.make()
        one.serving("server", ["127.0.0.1"], ["localhost"])
    return made[0], made[1]


@asynccontextmanager
async def api_server(authority: Authority, port: int) -> AsyncIterator[None]:
    async def answer(request: web.BaseRequest) -> web.Response:
        return web.json_response({"metadata": {"resourceVersion": "1"}, "items": []})

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(*authority.pair("server"))
    async with HttpServer(answer, port=port, tls=context):
        yield


def kubeconfig(path: Path, port: int, **cluster: str) -> str:
    body = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "c", "cluster": {"server": f"https://127.0.0.1:{port}", **cluster}}],
        "users": [{"name": "u", "user": {"token": "t"}}],
        "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "x",
    }
    path.write_text(json.dumps(body))
    return str(path)


Rotate = Callable[[Authority], None]


def by_file(folder: Path, port: int) -> tuple[str, Rotate]:
    """A bundle in a file that a kubelet swaps by a symbolic link, as in a ServiceAccount."""
    link = folder / "..data"

    def rotate(authority: Authority) -> None:
        version = folder / f"..{authority.folder.name}"
        version.mkdir()
        shutil.copy(authority.certificate, version / "ca.crt")
        fresh = folder / "..data_tmp"
        fresh.symlink_to(version.name)
        os.replace(fresh, link)

    path = str(link / "ca.crt")
    return kubeconfig(folder / "config", port, **{"certificate-authority": path}), rotate


def by_kubeconfig(folder: Path, port: int) -> tuple[str, Rotate]:
    """A kubeconfig that contains the bundle, and is written again."""

    def rotate(authority: Authority) -> None:
        data = base64.b64encode(authority.certificate.read_bytes()).decode()
        kubeconfig(folder / "config", port, **{"certificate-authority-data": data})

    return str(folder / "config"), rotate


async def listed(client: Client) -> None:
    """Returns once a list succeeds; the configuration is read again at most once a second."""
    async with asyncio.timeout(10):
        while True:
            try:
                await client.list(PODS)
                return
            except ApiError:
                await asyncio.sleep(0.1)


@pytest.mark.slow
@pytest.mark.parametrize("kept", [by_file, by_kubeconfig], ids=lambda f: f.__name__)
async def test_requests_succeed_after_the_authority_was_rotated(
    kept: Any, authorities: tuple[Authority, Authority], tmp_path: Path
) -> None:
    old, new = authorities
    port = free_ports(1)[0]
    config, rotate = kept(tmp_path, port)
    rotate(old)
    async with Client.connect(config) as client:
        companion = client.companion(aiohttp.TraceConfig())
        async with api_server(old, port):
            assert (await client.list(PODS))["items"] == []
            async with companion.get(f"{client.host}/api/v1/pods") as answer:
                assert answer.status == 200
        async with api_server(new, port):
            # The server was quicker than the bundle.
            with pytest.raises(ApiError, match="Certificate"):
                await client.list(PODS)
            assert client.trust is not None
            assert client.trust.refused_for() > 0
            rotate(new)
            await listed(client)
            assert client.trust.refused_for() == 0
            async with companion.get(f"{client.host}/api/v1/pods") as answer:
                assert answer.status == 200
        async with api_server(old, port):
            with pytest.raises(ApiError, match="Certificate"):
                await client.list(PODS)
        await companion.close()


def test_next_connection_uses_the_bundle_that_is_there_now(
    authorities: tuple[Authority, Authority], tmp_path: Path
) -> None:
    old, new = authorities
    bundle = tmp_path / "ca.crt"
    shutil.copy(old.certificate, bundle)
    trust = Trust(KubernetesConfiguration(ssl_ca_cert=str(bundle)), lambda: 0.0)
    before = trusted(trust)
    shutil.copy(new.certificate, bundle)
    after = trusted(trust)
    assert (len(before), len(after)) == (1, 1), "the old authority is no longer trusted"
    assert before != after


def trusted(trust: Trust) -> list[Any]:
    return trust.context.current().get_ca_certs()


async def test_bundle_that_is_written_by_half_leaves_the_old_one_in_use(
    authorities: tuple[Authority, Authority], tmp_path: Path
) -> None:
    old, _ = authorities
    port = free_ports(1)[0]
    bundle = tmp_path / "ca.crt"
    shutil.copy(old.certificate, bundle)
    config = kubeconfig(tmp_path / "config", port, **{"certificate-authority": str(bundle)})
    async with Client.connect(config) as client, api_server(old, port):
        bundle.write_text("-----BEGIN CERTIFICATE-----\n")
        assert (await client.list(PODS))["items"] == []


def test_context_is_renewed_on_the_event_loop_that_the_operator_uses(
    authorities: tuple[Authority, Authority], tmp_path: Path
) -> None:
    import uvloop

    async def rotated() -> None:
        old, new = authorities
        port = free_ports(1)[0]
        config, rotate = by_file(tmp_path, port)
        rotate(old)
        async with Client.connect(config) as client:
            async with api_server(old, port):
                await client.list(PODS)
            rotate(new)
            async with api_server(new, port):
                await client.list(PODS)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(rotated())
