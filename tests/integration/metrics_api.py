"""The API `metrics.k8s.io`, as Metrics Server serves it, for pods that run nothing.

Kubernetes' own autoscaler asks for it by way of the API server. The CPU time that a model needs in
total is fixed; its pods share it.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aiohttp import web

from canarium.kube import resources
from canarium.kube.http import Client
from integration import aggregated_api

_GROUP, _VERSION = "metrics.k8s.io", "v1beta1"
_PREFIX = f"/apis/{_GROUP}/{_VERSION}"


@dataclass
class MetricsApi:
    """Answers for all pods that a selector finds; `load` is what they need together, in mCPU."""

    client: Client
    load: int

    @contextlib.asynccontextmanager
    async def serving(self, folder: Path) -> AsyncIterator[MetricsApi]:
        """Registered with the API server meanwhile; `folder` takes its certificate."""
        application = web.Application()
        application.router.add_get(_PREFIX, self._resources)
        application.router.add_get(f"{_PREFIX}/namespaces/{{namespace}}/pods", self._pods)
        async with aggregated_api.serving(self.client, folder, _GROUP, application):
            yield self

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
