"""The API `external.metrics.k8s.io`, as an adapter such as KEDA's serves it."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from aiohttp import web

GROUP = "external.metrics.k8s.io"
_PREFIX = f"/apis/{GROUP}/v1beta1"


@dataclass
class Adapter:
    """Serves the value of each revision, as KEDA's metrics server does."""

    values: dict[str, str] = field(default_factory=dict)
    default: str = "12"
    broken: bool = False
    requests: list[tuple[str, str]] = field(default_factory=list)

    def application(self) -> web.Application:
        made = web.Application()
        made.router.add_get(_PREFIX, self._resources)
        made.router.add_get(f"{_PREFIX}/namespaces/{{namespace}}/{{metric}}", self._values)
        return made

    async def _resources(self, _: web.Request) -> web.Response:
        body = {"kind": "APIResourceList", "apiVersion": "v1", "groupVersion": f"{GROUP}/v1beta1"}
        return web.json_response({**body, "resources": []})

    async def _values(self, request: web.Request) -> web.Response:
        where, selector = request.match_info["namespace"], request.query.get("labelSelector", "")
        self.requests.append((where, selector))
        if self.broken:
            status = {"kind": "Status", "status": "Failure", "message": "no metrics from the queue"}
            return web.json_response({**status, "code": 500}, status=500)
        revision = selector.removeprefix("revision=")
        at = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        value = self.values.get(revision, self.default)
        item = {"metricName": request.match_info["metric"], "metricLabels": {"revision": revision}}
        items = [{**item, "timestamp": at, "value": value}]
        kind = {"kind": "ExternalMetricValueList", "apiVersion": f"{GROUP}/v1beta1"}
        return web.json_response({**kind, "metadata": {}, "items": items})
