"""A second version of many models: weight 20, five seconds, then all of the traffic."""

from __future__ import annotations

import asyncio
import time

from bench.cluster.client import Body, Client
from bench.cluster.fresh import Cluster
from bench.cluster.watching import Key, Watching
from bench.contenders.canarium import Canarium
from bench.floors.creation import dry_run, event, labels, revision, service

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
                await dry_run(client, key, _VERSION)
                await revision(client, key, parent, _VERSION)
                await event(client, key, parent, "RolloutStarted", _VERSION)
            await watching.seen(candidates[key])
            async with seats:
                await _at(client, key, {"app": key[1]}, {"phase": "Progressing", "weight": 20})
                await event(client, key, parent, "WeightInEffect", _VERSION)
            await asyncio.sleep(pause)
            async with seats:
                stable = {"phase": "Ready", "version": str(_VERSION)}
                await _at(client, key, labels(key, _VERSION), stable)
                await event(client, key, parent, "Promoted", _VERSION)
                await client.delete(f"/apis/apps/v1/namespaces/{key[0]}/deployments/{key[1]}-1")

        began = time.monotonic()
        async with asyncio.timeout(patience), asyncio.TaskGroup() as group:
            for key in keys:
                group.create_task(one(key))
        return time.monotonic() - began


async def _at(client: Client, key: Key, selector: dict[str, str], status: Body) -> None:
    """Gives the traffic to the pods of `selector`, and then reports it."""
    await client.merge(service(key), {"spec": {"selector": {"version": None} | selector}})
    await client.merge(f"{Canarium().path(key)}/status", {"status": status})


def _is_ready(deployment: Body) -> bool:
    return bool(deployment.get("status", {}).get("readyReplicas"))
