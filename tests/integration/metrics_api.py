"""The API `metrics.k8s.io`, as Metrics Server serves it, for pods that run nothing.

Kubernetes' own autoscaler asks for it by way of the API server. The CPU time that a model needs in
total is fixed; its pods share it.
"""

from __future__ import annotations

import contextlib
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from canarium.kube import resources
from canarium.kube.errors import ApiError
from canarium.kube.http import Client
from canarium.kube.resources import Resource
from sandbox.pki import Authority
from sandbox.ports import free_ports

_GROUP, _VERSION = "metrics.k8s.io", "v1beta1"
_API_SERVICES = Resource("apiregistration.k8s.io", "v1", "apiservices", "APIService")
_NAME = f"{_VERSION}.{_GROUP}"
_PREFIX = f"/apis/{_GROUP}/{_VERSION}"


@dataclass
class MetricsApi:
    """Answers for all pods that a selector finds; `load` is what they need together, in mCPU."""

    client: Client
    load: int

    @contextlib.asynccontextmanager
    async def serving(self, folder: Path) -> AsyncIterator[MetricsApi]:
        """Registered with the API server meanwhile; `folder` takes its certificate."""
        authority = Authority(folder)
        authority.make()
        authority.serving("metrics", ["127.0.0.1"], ["localhost"])
        secure = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        secure.load_cert_chain(*authority.pair("metrics"))
        (port,) = free_ports(1)
        application = web.Application()
        application.router.add_get(_PREFIX, self._resources)
        application.router.add_get(f"{_PREFIX}/namespaces/{{namespace}}/pods", self._pods)
        runner = web.AppRunner(application)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port, ssl_context=secure).start()
        try:
            await self._register(port)
            yield self
        finally:
            # One that is away would keep namespaces from being deleted.
            with contextlib.suppress(ApiError):
                await self.client.request("DELETE", _API_SERVICES.path(None, _NAME))
            await runner.cleanup()

    async def _register(self, port: int) -> None:
        where = {"name": "metrics", "namespace": "kube-system"}
        spec = {"type": "ExternalName", "externalName": "localhost"}
        service = {"apiVersion": "v1", "kind": "Service", "metadata": where, "spec": spec}
        await self.client.apply(
            resources.SERVICES, where["namespace"], "metrics", service, force=True
        )
        registered = {
            "apiVersion": "apiregistration.k8s.io/v1",
            "kind": "APIService",
            "metadata": {"name": _NAME},
            "spec": {
                "group": _GROUP,
                "version": _VERSION,
                "groupPriorityMinimum": 100,
                "versionPriority": 100,
                "insecureSkipTLSVerify": True,
                "service": {**where, "port": port},
            },
        }
        await self.client.apply(_API_SERVICES, None, _NAME, registered, force=True)

    async def _resources(self, _: web.Request) -> web.Response:
        pods = {"name": "pods", "kind": "PodMetrics", "namespaced": True, "verbs": ["get", "list"]}
        return web.json_response(
            {
                "kind": "APIResourceList",
                "apiVersion": "v1",
                "groupVersion": f"{_GROUP}/{_VERSION}",
                "resources": [{**pods, "singularName": ""}],
            }
        )

    async def _pods(self, request: web.Request) -> web.Response:
        chosen = request.query.get("labelSelector", "")
        namespace = request.match_info["namespace"]
        found = await self.client.list(resources.PODS, namespace, labelSelector=chosen)
        pods = [p for p in found["items"] if "podIP" in p["status"]]
        share = self.load / max(1, len(pods))
        return web.json_response(
            {
                "kind": "PodMetricsList",
                "apiVersion": f"{_GROUP}/{_VERSION}",
                "metadata": {},
                "items": [_measured(pod, share) for pod in pods],
            }
        )


def _measured(pod: dict[str, Any], share: float) -> dict[str, Any]:
    usage = {"cpu": f"{round(share * 1000)}u", "memory": "1Mi"}
    return {
        "metadata": {"name": pod["metadata"]["name"], "namespace": pod["metadata"]["namespace"]},
        "timestamp": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        "window": "1s",
        "containers": [{"name": "server", "usage": usage}],
    }
