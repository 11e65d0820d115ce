"""A simulated gateway controller: it accepts routes, or rejects them with a reason."""

from __future__ import annotations

import asyncio
import contextlib
import json
from datetime import UTC, datetime
from typing import Any

from canarium.kube import resources
from canarium.kube.errors import ApiError
from canarium.kube.http import Client
from sandbox import binaries
from sandbox.controlplane import ControlPlane

GROUP = "gateway.networking.k8s.io"
CONTROLLER = "test.canarium.dev/gateway"
_PERIOD = 0.05


def install(plane: ControlPlane) -> None:
    """The Gateway API's own definitions."""
    folder = binaries.module("contour", "sigs.k8s.io/gateway-api") / "config/crd/standard"
    files = sorted(folder.glob(f"{GROUP}_*.yaml"))
    # In the standard channel of v1.3, a class cannot list its features yet.
    files.append(folder.parent / "experimental" / f"{GROUP}_gatewayclasses.yaml")
    flags = [word for path in files for word in ("-f", str(path))]
    plane.kubectl("apply", "--server-side", *flags)
    plane.api.await_definitions(*names(plane))


def names(plane: ControlPlane) -> list[str]:
    found = json.loads(plane.kubectl("get", "crd", "-o", "json"))["items"]
    return [c["metadata"]["name"] for c in found if c["spec"]["group"] == GROUP]


def gateway(namespace: str, name: str = "public", allowed: str = "Same") -> dict[str, Any]:
    listener = {
        "name": "web",
        "port": 80,
        "protocol": "HTTP",
        "allowedRoutes": {"namespaces": {"from": allowed}},
    }
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "Gateway",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"gatewayClassName": "test", "listeners": [listener]},
    }


def foreign(namespace: str, name: str, of: str, host: str, path: str) -> dict[str, Any]:
    """A foreign route through the Gateway `public` of the namespace `of`."""
    match = {"path": {"type": "PathPrefix", "value": path}}
    return {
        "apiVersion": f"{GROUP}/v1",
        "kind": "HTTPRoute",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {
            "parentRefs": [{"name": "public", "namespace": of}],
            "hostnames": [host],
            "rules": [{"matches": [match], "backendRefs": [{"name": "theirs", "port": 80}]}],
        },
    }


def features(*found: str) -> dict[str, Any]:
    """The status of a class that lists its features."""
    condition = {
        "type": "Accepted",
        "status": "True",
        "reason": "Accepted",
        "message": "",
        "lastTransitionTime": _now(),
    }
    supported = [{"name": name} for name in sorted(found)]
    return {"status": {"conditions": [condition], "supportedFeatures": supported}}


class Controller:
    """Answers the routes of one namespace until cancelled."""

    def __init__(self, client: Client, namespace: str) -> None:
        self._client, self._namespace = client, namespace
        #: Condition → (reason, text) that it is False for; `deaf`: nothing is answered.
        self.against: dict[str, tuple[str, str]] = {}
        self.deaf = False
        #: Weights by backend of each generation that was taken, in order.
        self.taken: list[dict[str, int]] = []

    async def run(self) -> None:
        while True:
            for resource in (resources.HTTP_ROUTES, resources.GRPC_ROUTES):
                with contextlib.suppress(ApiError):
                    page = await self._client.list(resource, self._namespace)
                    for raw in page["items"]:
                        await self._answer(resource, raw)
            await asyncio.sleep(_PERIOD)

    async def _answer(self, resource: resources.Resource, raw: dict[str, Any]) -> None:
        wanted = [self._parent(raw, ref) for ref in raw["spec"]["parentRefs"]]
        if self.deaf or _said(raw.get("status", {}).get("parents", [])) == _said(wanted):
            return
        body = {"status": {"parents": wanted}}
        await self._client.merge(resource, self._namespace, raw["metadata"]["name"], body, "status")
        if not self.against:
            backends = raw["spec"]["rules"][0]["backendRefs"]
            self.taken.append({ref["name"]: ref["weight"] for ref in backends})

    def _parent(self, raw: dict[str, Any], ref: dict[str, Any]) -> dict[str, Any]:
        conditions = []
        for kind in ("Accepted", "ResolvedRefs"):
            reason, text = self.against.get(kind, (kind, ""))
            conditions.append(
                {
                    "type": kind,
                    "status": "False" if kind in self.against else "True",
                    "reason": reason,
                    "message": text,
                    "observedGeneration": raw["metadata"]["generation"],
                    "lastTransitionTime": _now(),
                }
            )
        return {"parentRef": ref, "controllerName": CONTROLLER, "conditions": conditions}


def _said(parents: list[dict[str, Any]]) -> Any:
    return [
        [(c["type"], c["reason"], c["observedGeneration"]) for c in parent["conditions"]]
        for parent in parents
    ]


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
