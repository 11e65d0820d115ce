"""Models behind a Gateway: their settings, and what is read of their routes."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import Callable
from typing import Any

from canarium.kube import resources
from canarium.kube.errors import ApiError
from integration.conftest import Cluster

FAST = {
    "steps": [{"weight": 25, "pause": "300ms"}, {"weight": 50, "pause": "300ms"}],
    "bakeTime": "1s",
    "scaleDownDelay": "1s",
}


def behind(name: str = "public", **more: Any) -> dict[str, Any]:
    """spec.traffic of a model behind the Gateway `name`."""
    return {"router": "Gateway", "gateway": {"parentRefs": [{"name": name}], **more}}


def put(cluster: Cluster, *bodies: dict[str, Any]) -> None:
    made = {"apiVersion": "v1", "kind": "List", "items": list(bodies)}
    cluster.plane.kubectl("apply", "-f", "-", stdin=json.dumps(made))


async def route(
    cluster: Cluster, resource: resources.Resource = resources.HTTP_ROUTES
) -> dict[str, Any]:
    return await cluster.client.get(resource, cluster.namespace, "fraud")


async def weights(cluster: Cluster) -> dict[str, int]:
    """The live route's percent by revision."""
    backends = (await route(cluster))["spec"]["rules"][0]["backendRefs"]
    return {ref["name"].removeprefix("fraud-"): ref["weight"] for ref in backends}


async def eventually(what: Callable[[], Any], seconds: float = 20) -> None:
    """Waits until `what` holds; an answer of 404 is not yet."""
    end = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < end:
        with contextlib.suppress(ApiError):
            if await what():
                return
        await asyncio.sleep(0.05)
    raise AssertionError(f"not seen in {seconds} s")


def condition_of(status: dict[str, Any], kind: str = "RouteAccepted") -> tuple[str, str]:
    found = next((c for c in status.get("conditions", ()) if c["type"] == kind), None)
    return (found["status"], found["reason"]) if found else ("", "")
