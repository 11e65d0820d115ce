"""The objects of many models, written without a decision."""

from __future__ import annotations

import asyncio
import time

from bench.cluster.client import Body, Client
from bench.cluster.fresh import Cluster
from bench.cluster.watching import Key
from bench.contenders.canarium import Canarium
from bench.contenders.rollouts import template
from bench.driver import many


async def create(cluster: Cluster, keys: list[Key], connections: int) -> float:
    """Seconds until all is written, by `connections` at a time."""
    model = Canarium()
    async with Client.connect(cluster.kubeconfig, "bench-floor", connections) as client:

        async def one(key: Key) -> None:
            await written(client, model, key)

        began = time.monotonic()
        await many(keys, one, connections)
        return time.monotonic() - began


async def written(client: Client, model: Canarium, key: Key) -> None:
    """Writes the objects of one model: itself, a record, a Deployment, a Service, a status."""
    namespace, name = key
    where, body = model.created(key)
    parent = await client.post(where, body)
    await revision(client, key, parent, 1)
    meta = {"namespace": namespace, "name": name, **owned(parent)}
    await client.post(
        f"/api/v1/namespaces/{namespace}/services",
        {"metadata": meta, "spec": {"selector": labels(key, 1), "ports": [{"port": 80}]}},
    )
    status = {"phase": "Ready", "observedGeneration": 1, "version": "1"}
    await client.merge(f"{model.path(key)}/status", {"status": status})


async def revision(client: Client, key: Key, parent: Body, version: int) -> None:
    """Writes the record and the Deployment of a version."""
    namespace, name = key
    apps = f"/apis/apps/v1/namespaces/{namespace}"
    meta = {"namespace": namespace, "name": f"{name}-{version}", **owned(parent)}
    pods = template(name, version)
    pods["metadata"]["labels"] = labels(key, version)
    data = {"template": pods, "identity": parent["spec"]}
    record = {"metadata": meta, "revision": version, "data": data}
    await client.post(f"{apps}/controllerrevisions", record)
    selector = {"matchLabels": labels(key, version)}
    spec = {"replicas": 1, "selector": selector, "template": pods}
    await client.post(f"{apps}/deployments", {"metadata": meta, "spec": spec})


def labels(key: Key, version: int) -> dict[str, str]:
    """The labels of the pods of a version."""
    return {"app": key[1], "version": str(version)}


def owned(parent: Body) -> Body:
    """The metadata of an object that `parent` owns."""
    owner = {
        "apiVersion": parent["apiVersion"],
        "kind": parent["kind"],
        "name": parent["metadata"]["name"],
        "uid": parent["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }
    return {"ownerReferences": [owner], "labels": {"app": parent["metadata"]["name"]}}


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
