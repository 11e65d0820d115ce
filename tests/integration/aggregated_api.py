"""An API behind the API server, as an adapter serves it, registered while a test needs it."""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

from aiohttp import web

from canarium.kube import resources
from canarium.kube.errors import ApiError
from canarium.kube.http import Client
from canarium.kube.resources import Resource
from sandbox.pki import Authority
from sandbox.ports import free_ports

_API_SERVICES = Resource("apiregistration.k8s.io", "v1", "apiservices", "APIService")


@contextlib.asynccontextmanager
async def serving(
    client: Client, folder: Path, group: str, application: web.Application
) -> AsyncIterator[None]:
    """Serves `application` as version v1beta1 of `group`; `folder` takes its certificate."""
    authority = Authority(folder)
    authority.make()
    authority.serving("aggregated", ["127.0.0.1"], ["localhost"])
    secure = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    secure.load_cert_chain(*authority.pair("aggregated"))
    (port,) = free_ports(1)
    runner = web.AppRunner(application)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port, ssl_context=secure).start()
    try:
        await _register(client, group, port)
        yield
    finally:
        # One that is away would keep namespaces from being deleted.
        with contextlib.suppress(ApiError):
            await client.request("DELETE", _API_SERVICES.path(None, f"v1beta1.{group}"))
        await runner.cleanup()


async def _register(client: Client, group: str, port: int) -> None:
    where = {"name": group.replace(".", "-"), "namespace": "kube-system"}
    spec = {"type": "ExternalName", "externalName": "localhost"}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": where, "spec": spec}
    await client.apply(resources.SERVICES, where["namespace"], where["name"], service, force=True)
    name = f"v1beta1.{group}"
    registered = {
        "apiVersion": "apiregistration.k8s.io/v1",
        "kind": "APIService",
        "metadata": {"name": name},
        "spec": {
            "group": group,
            "version": "v1beta1",
            "groupPriorityMinimum": 100,
            "versionPriority": 100,
            "insecureSkipTLSVerify": True,
            "service": {**where, "port": port},
        },
    }
    await client.apply(_API_SERVICES, None, name, registered, force=True)
