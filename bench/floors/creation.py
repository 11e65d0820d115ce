"""The objects of many models, written without a decision."""

from __future__ import annotations

import asyncio
import contextlib
import time

from bench.cluster.client import Body, Client, Refused
from bench.cluster.fresh import Cluster
from bench.cluster.watching import Key
from bench.contenders.canarium import Canarium
from bench.contenders.rollouts import template
from bench.driver import many


async def create(cluster: Cluster, keys: list[Key], connections: int) -> float:
    """Seconds until all is written, by `connections` at a time, with every request that a creation
    needs (decision 0083)."""
    model = Canarium()
    async with Client.connect(cluster.kubeconfig, "bench-floor", connections) as client:

        async def one(key: Key) -> None:
            parent = await client.post(*model.created(key))
            with contextlib.suppress(Refused):
                await client.get(service(key))
            await dry_run(client, key, 1)
            await revision(client, key, parent, 1)
            await status(client, model, key, {"phase": "Progressing"})
            await _serving(client, model, key, parent)
            await event(client, key, parent, "Promoted", 1)

        began = time.monotonic()
        await many(keys, one, connections)
        return time.monotonic() - began


async def written(client: Client, model: Canarium, key: Key) -> None:
    """Writes the objects of one model: itself, a record, a Deployment, a Service, a status."""
    parent = await client.post(*model.created(key))
    await revision(client, key, parent, 1)
    await _serving(client, model, key, parent)


async def _serving(client: Client, model: Canarium, key: Key, parent: Body) -> None:
    """Creates the Service of the first version, and then reports it."""
    namespace, name = key
    meta = {"namespace": namespace, "name": name, **owned(parent)}
    await client.post(
        f"/api/v1/namespaces/{namespace}/services",
        {"metadata": meta, "spec": {"selector": labels(key, 1), "ports": [{"port": 80}]}},
    )
    await status(client, model, key, {"phase": "Ready", "version": "1"})


async def status(client: Client, model: Canarium, key: Key, content: Body) -> None:
    """Writes the status of a model."""
    body = {"status": {"observedGeneration": 1, **content}}
    await client.merge(f"{model.path(key)}/status", body)


def service(key: Key) -> str:
    """The path of the Service of a model."""
    return f"/api/v1/namespaces/{key[0]}/services/{key[1]}"


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


async def dry_run(client: Client, key: Key, version: int) -> None:
    """Asks whether the API server admits the pod, as the operator does before each record."""
    pod = {"metadata": {"generateName": f"{key[1]}-"}, "spec": template(key[1], version)["spec"]}
    await client.post(f"/api/v1/namespaces/{key[0]}/pods?dryRun=All", pod)


async def event(client: Client, key: Key, parent: Body, reason: str, version: int) -> None:
    """Creates an Event about the model."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    about = {field: parent["metadata"][field] for field in ("namespace", "name", "uid")}
    body = {
        "metadata": {"generateName": f"{key[1]}."},
        "involvedObject": {"apiVersion": parent["apiVersion"], "kind": parent["kind"], **about},
        "type": "Normal",
        "reason": reason,
        "message": f"version {version}",
        "source": {"component": "bench-floor"},
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
    await client.post(f"/api/v1/namespaces/{key[0]}/events", body)


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
