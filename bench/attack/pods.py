"""A kubelet that only reports: pods are bound, get ready on loopback, and vanish when deleted."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import aiohttp

from bench.attack.server import ADDRESS
from canarium.kube import resources
from canarium.kube.errors import ApiError
from canarium.kube.http import Client
from canarium.kube.resources import Resource

_NODES = Resource("", "v1", "nodes", "Node")
_PAUSE = 0.1
Pod = dict[str, Any]


@contextlib.asynccontextmanager
async def kubelet(client: Client) -> AsyncIterator[None]:
    """Tends all pods meanwhile."""
    await client.create(
        _NODES, None, {"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}}
    )
    task = asyncio.create_task(_run(client))
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _run(client: Client) -> None:
    """Tends each pod whenever it changes: listing thousands of pods again and again would use up
    the processors that the measurement needs."""
    tasks: set[asyncio.Task[None]] = set()
    while True:
        with contextlib.suppress(ApiError, aiohttp.ClientError):
            pods = await client.list(resources.PODS)
            await asyncio.gather(*(_tend(client, pod) for pod in pods["items"]))
            since = pods["metadata"]["resourceVersion"]
            async for event in client.watch(resources.PODS, None, resourceVersion=since):
                if event["type"] in ("ADDED", "MODIFIED"):
                    tasks.add(task := asyncio.create_task(_tend(client, event["object"])))
                    task.add_done_callback(tasks.discard)
        await asyncio.sleep(_PAUSE)


async def _tend(client: Client, pod: Pod) -> None:
    meta = pod["metadata"]
    where = (resources.PODS, meta["namespace"], meta["name"])
    with contextlib.suppress(ApiError):
        if "deletionTimestamp" in meta:
            await client.request(
                "DELETE", resources.PODS.path(*where[1:]), {"gracePeriodSeconds": 0}
            )
        elif not pod["spec"].get("nodeName"):
            binding = {
                "apiVersion": "v1",
                "kind": "Binding",
                "metadata": {"name": meta["name"]},
                "target": {"apiVersion": "v1", "kind": "Node", "name": "n"},
            }
            path = resources.PODS.path(meta["namespace"], meta["name"], "binding")
            await client.request("POST", path, binding)
        elif "podIP" not in pod["status"]:
            await client.merge(
                *where, {"status": status(pod, {"running": {"startedAt": _now()}})}, "status"
            )


async def crash(client: Client, pod: Pod) -> None:
    """The pod's server exits now."""
    meta = pod["metadata"]
    ended = {"exitCode": 1, "reason": "Error", "startedAt": _now(), "finishedAt": _now()}
    body = {"status": status(pod, {"terminated": ended})}
    await client.merge(resources.PODS, meta["namespace"], meta["name"], body, "status")


def status(pod: Pod, state: dict[str, Any]) -> dict[str, Any]:
    """The status of a pod whose server is in `state`."""
    ready = "running" in state
    word = "True" if ready else "False"
    conditions = [
        {"type": kind, "status": word, "lastTransitionTime": _now()}
        for kind in ("Ready", "ContainersReady")
    ]
    conditions.append({"type": "PodScheduled", "status": "True", "lastTransitionTime": _now()})
    image = pod["spec"]["containers"][0]["image"]
    return {
        "phase": "Running",
        "podIP": ADDRESS,
        "podIPs": [{"ip": ADDRESS}],
        "startTime": _now(),
        "conditions": conditions,
        "containerStatuses": [
            {
                "name": "server",
                "image": image,
                "imageID": image,
                "ready": ready,
                "started": ready,
                "restartCount": 0,
                "state": state,
            }
        ],
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
