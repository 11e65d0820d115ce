"""Pods that all fail at once, and their traffic switched off as each does."""

from __future__ import annotations

import time

from bench.cluster.client import Client
from bench.cluster.fresh import Cluster
from bench.cluster.pods import fail
from bench.cluster.watching import Key
from bench.driver import many


async def switch(cluster: Cluster, keys: list[Key], connections: int) -> float:
    """Seconds until every model's pod has failed and its Service selects another version."""
    listed = await cluster.client.get("/api/v1/pods?labelSelector=version%3D2")
    pods = {
        (p["metadata"]["namespace"], p["metadata"]["labels"]["app"]): p for p in listed["items"]
    }
    async with Client.connect(cluster.kubeconfig, "bench-floor", connections) as client:

        async def one(key: Key) -> None:
            await fail(client, key, pods[key]["metadata"]["name"], 2)
            service = f"/api/v1/namespaces/{key[0]}/services/{key[1]}"
            await client.merge(service, {"spec": {"selector": {"version": "1"}}})

        began = time.monotonic()
        await many(keys, one, connections)
        return time.monotonic() - began
