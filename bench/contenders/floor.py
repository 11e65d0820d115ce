"""The floor: the same objects written by a client that decides nothing, as fast as it can be.

No operator can be faster on this API server: the controllers that follow (Deployments, endpoints,
scheduler) do the same work after either.
"""

from __future__ import annotations

import asyncio
import time

from bench.cluster.client import Client
from bench.cluster.fresh import Cluster
from bench.cluster.watching import Key
from bench.contenders.canarium import Canarium
from bench.contenders.rollouts import template
from bench.driver import many
from bench.stats import spread


async def floor(
    cluster: Cluster, keys: list[Key], connections: int
) -> tuple[float, dict[str, float]]:
    """Seconds until all is written, and the p50 / p99 of one object, by `connections` at a time."""
    took: list[float] = []
    model = Canarium()
    async with Client.connect(cluster.kubeconfig, "bench-floor", connections) as client:

        async def one(key: Key) -> None:
            began = time.monotonic()
            await written(client, model, key)
            took.append(time.monotonic() - began)

        began = time.monotonic()
        await many(keys, one, connections)
        wall = time.monotonic() - began
    latencies = spread(took)
    return wall, {"p50": latencies.p50, "p99": latencies.p99}


async def written(client: Client, model: Canarium, key: Key) -> None:
    """Writes the objects of one model: itself, a record, a Deployment, a Service, a status."""
    namespace, name = key
    where, body = model.created(key)
    parent = await client.post(where, body)
    owner = {
        "apiVersion": body["apiVersion"],
        "kind": body["kind"],
        "name": name,
        "uid": parent["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    labels = {"app": name}
    meta = {"namespace": namespace, "labels": labels, "ownerReferences": [owner]}
    apps = f"/apis/apps/v1/namespaces/{namespace}"
    await client.post(
        f"{apps}/controllerrevisions",
        {
            "metadata": {**meta, "name": f"{name}-1"},
            "revision": 1,
            "data": {"template": template(name, 1), "identity": body["spec"]},
        },
    )
    await client.post(
        f"{apps}/deployments",
        {
            "metadata": {**meta, "name": f"{name}-1"},
            "spec": {
                "replicas": 1,
                "selector": {"matchLabels": labels},
                "template": template(name, 1),
            },
        },
    )
    await client.post(
        f"/api/v1/namespaces/{namespace}/services",
        {
            "metadata": {**meta, "name": name},
            "spec": {"selector": labels, "ports": [{"name": "http", "port": 80}]},
        },
    )
    status = {"phase": "Ready", "observedGeneration": 1, "version": "1"}
    await client.merge(f"{model.path(key)}/status", {"status": status})


async def settled(cluster: Cluster, keys: list[Key], patience: float) -> float:
    """Waits until every Deployment has its pod; POSIX seconds."""
    end = time.monotonic() + patience
    while time.monotonic() < end:
        listed = await cluster.client.get("/apis/apps/v1/deployments")
        ready = sum(1 for d in listed["items"] if d.get("status", {}).get("readyReplicas"))
        if ready >= len(keys):
            return time.time()
        await asyncio.sleep(0.5)
    raise TimeoutError(f"{ready} of {len(keys)} Deployments are ready after {patience:.0f} s")
