"""A second version of many models: weight 20, five seconds, then all of the traffic."""

from __future__ import annotations

import asyncio
import time

from bench.cluster.client import Body, Client
from bench.cluster.fresh import Cluster
from bench.cluster.watching import Key, Watching
from bench.contenders.canarium import Canarium
from bench.contenders.rollouts import template
from bench.floors.creation import labels, revision

_VERSION = 2


async def update(
    cluster: Cluster, keys: list[Key], connections: int, pause: float, patience: float
) -> float:
    """Seconds until all are on the second version, by `connections` at a time.

    Every object passes the same states as with the operator, by the same requests, and waits
    `pause` seconds with a part of the traffic: the spec, a dry run of the pod, record and
    Deployment, ready pods, the Service, the status and an Event at each change of traffic, and the
    end of the first Deployment (decision 0067).
    """
    seats = asyncio.Semaphore(connections)
    collection = "/apis/apps/v1/deployments"
    candidates = {key: (key[0], f"{key[1]}-{_VERSION}") for key in keys}
    async with (
        Client.connect(cluster.kubeconfig, "bench-floor", connections) as client,
        Watching.of(cluster.client, collection) as watching,
    ):
        watching.expect(candidates.values(), _is_ready)

        async def one(key: Key) -> None:
            async with seats:
                parent = await client.merge(*Canarium().changed(key, _VERSION))
                await _dry_run(client, key)
                await revision(client, key, parent, _VERSION)
                await _event(client, key, parent, "RolloutStarted")
            await watching.seen(candidates[key])
            async with seats:
                await _at(client, key, {"app": key[1]}, {"phase": "Progressing", "weight": 20})
                await _event(client, key, parent, "WeightInEffect")
            await asyncio.sleep(pause)
            async with seats:
                stable = {"phase": "Ready", "version": str(_VERSION)}
                await _at(client, key, labels(key, _VERSION), stable)
                await _event(client, key, parent, "Promoted")
                await client.delete(f"/apis/apps/v1/namespaces/{key[0]}/deployments/{key[1]}-1")

        began = time.monotonic()
        async with asyncio.timeout(patience), asyncio.TaskGroup() as group:
            for key in keys:
                group.create_task(one(key))
        return time.monotonic() - began


async def _at(client: Client, key: Key, selector: dict[str, str], status: Body) -> None:
    """Gives the traffic to the pods of `selector`, and then reports it."""
    service = f"/api/v1/namespaces/{key[0]}/services/{key[1]}"
    await client.merge(service, {"spec": {"selector": {"version": None} | selector}})
    await client.merge(f"{Canarium().path(key)}/status", {"status": status})


async def _dry_run(client: Client, key: Key) -> None:
    """Asks whether the API server admits the pod, as the operator does before each record."""
    pod = {"metadata": {"generateName": f"{key[1]}-"}, "spec": template(key[1], _VERSION)["spec"]}
    await client.post(f"/api/v1/namespaces/{key[0]}/pods?dryRun=All", pod)


async def _event(client: Client, key: Key, parent: Body, reason: str) -> None:
    """Creates an Event about the model."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    about = {field: parent["metadata"][field] for field in ("namespace", "name", "uid")}
    event = {
        "metadata": {"generateName": f"{key[1]}."},
        "involvedObject": {"apiVersion": parent["apiVersion"], "kind": parent["kind"], **about},
        "type": "Normal",
        "reason": reason,
        "message": f"version {_VERSION}",
        "source": {"component": "bench-floor"},
        "firstTimestamp": now,
        "lastTimestamp": now,
        "count": 1,
    }
    await client.post(f"/api/v1/namespaces/{key[0]}/events", event)


def _is_ready(deployment: Body) -> bool:
    return bool(deployment.get("status", {}).get("readyReplicas"))
