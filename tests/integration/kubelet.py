"""A node that is simulated: pods get bound, ready and removed, without any container.

The annotation `sandbox/behaviour` of a pod selects what it does: absent (gets ready) or `exits`
(its server ends with code 0, as a model server does whose model cannot be loaded).
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import itertools
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from canarium.kube import resources
from canarium.kube.errors import ApiError
from canarium.kube.http import Client
from canarium.kube.resources import Resource

NODES = Resource("", "v1", "nodes", "Node")
_PERIOD = 0.1


def resolved(image: str) -> str:
    """The digest that a runtime reports for an image: each image has different bytes."""
    return f"{image.rpartition(':')[0]}@sha256:{hashlib.sha256(image.encode()).hexdigest()}"


class Kubelet:
    def __init__(self, client: Client, network: str = "10.244.0.") -> None:
        self._client, self._network = client, network
        self._address = itertools.count(10)
        self._everywhere = ""
        self.crashed: set[str] = set()
        self._registered: set[str] = set()
        #: The node that takes new pods, and nodes that are lost: they report and do nothing.
        self.home = "node"
        self.lost: set[str] = set()
        #: The digest of what fetchers find.
        self.bytes = "sha256:one"

    def bind_to(self, address: str) -> None:
        """Gives pods that are bound later this address, where a test listens in their place."""
        self._everywhere = address

    @asynccontextmanager
    async def running(self) -> AsyncIterator[Kubelet]:
        """Tends pods meanwhile; raises what ended it, if it ended by itself."""
        task = asyncio.create_task(self.run(), name="kubelet")
        try:
            yield self
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def run(self) -> None:
        while True:
            try:
                await self._round()
            except ApiError as error:
                # As a real one: an API server that is slow or away is asked again.
                if not error.transient:
                    raise
            await asyncio.sleep(_PERIOD)

    async def _round(self) -> None:
        home = {"apiVersion": "v1", "kind": "Node", "metadata": {"name": self.home}}
        if self.home not in self._registered:
            try:
                await self._client.create(NODES, None, home)
            except ApiError as error:
                if not error.already_exists:
                    raise
            self._registered.add(self.home)
        pods = (await self._client.list(resources.PODS))["items"]
        await asyncio.gather(*(self._tend(pod) for pod in pods))

    async def crash(self, namespace: str, revision: str, *, count: int | None = None) -> None:
        """The servers of a revision exit now, in `count` of its pods or in all."""
        for pod in (await self._of(namespace, revision))[:count]:
            await self._status(pod, ready=False, exited=1)

    async def loop(self, namespace: str, revision: str, *, code: int, last: str) -> None:
        """The servers of a revision keep exiting; `last` is the last line that they log."""
        ended = {"exitCode": code, "reason": "Error", "message": f"Traceback\n{last}\n"}
        for pod in await self._of(namespace, revision):
            await self._status(pod, ready=False, exited=code)
            status = (await self._get(pod))["status"]
            (server,) = status["containerStatuses"]
            server |= {"restartCount": 4, "lastState": {"terminated": ended}}
            server["state"] = {"waiting": {"reason": "CrashLoopBackOff"}}
            await self._patch(pod, {"containerStatuses": [server]})

    async def heal(self, namespace: str, revision: str) -> None:
        """The servers of a revision run again."""
        for pod in await self._of(namespace, revision):
            await self._status(pod, ready=True, exited=None)

    async def _of(self, namespace: str, revision: str) -> list[dict[str, Any]]:
        pods = (await self._client.list(resources.PODS, namespace))["items"]
        mark = "canarium.dev/revision"
        return [pod for pod in pods if pod["metadata"]["labels"].get(mark) == revision]

    async def unready(self, pod: dict[str, Any], *, seconds: float, lost: bool) -> None:
        """A pod turned unready so long ago: its node is lost, as the node controller reports it, or
        its probe fails, as the kubelet does."""
        began = datetime.now(UTC) - timedelta(seconds=2 * seconds)
        since = datetime.now(UTC) - timedelta(seconds=seconds)
        times = [t.isoformat(timespec="seconds").replace("+00:00", "Z") for t in (began, since)]
        status = (await self._get(pod))["status"]
        for condition in status["conditions"]:
            if condition["type"] == "Ready" or (
                not lost and condition["type"] == "ContainersReady"
            ):
                condition |= {"status": "False", "lastTransitionTime": times[1]}
                condition |= {"reason": "NodeNotReady"} if lost else {}
        for container in status["containerStatuses"]:
            container["state"] = {"running": {"startedAt": times[0]}}
            container["ready"] = lost
        await self._patch(pod, status)

    async def disrupt(self, pod: dict[str, Any]) -> None:
        """What the taint controller does to a pod of a lost node: marks and deletes it."""
        status = (await self._get(pod))["status"]
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        mark = {
            "type": "DisruptionTarget",
            "status": "True",
            "reason": "DeletionByTaintManager",
            "lastTransitionTime": now,
        }
        await self._patch(pod, {"conditions": [*status["conditions"], mark]})
        meta = pod["metadata"]
        await self._client.delete(resources.PODS, meta["namespace"], meta["name"], meta["uid"])

    async def evict(self, pod: dict[str, Any]) -> None:
        """Asks for an eviction, as a drain does."""
        meta = pod["metadata"]
        eviction = {
            "apiVersion": "policy/v1",
            "kind": "Eviction",
            "metadata": {"namespace": meta["namespace"], "name": meta["name"]},
        }
        path = resources.PODS.path(meta["namespace"], meta["name"], "eviction")
        await self._client.request("POST", path, eviction)

    async def _get(self, pod: dict[str, Any]) -> dict[str, Any]:
        meta = pod["metadata"]
        return await self._client.get(resources.PODS, meta["namespace"], meta["name"])

    async def _patch(self, pod: dict[str, Any], status: dict[str, Any]) -> None:
        meta = pod["metadata"]
        where = (resources.PODS, meta["namespace"], meta["name"])
        await self._client.merge(*where, {"status": status}, "status")

    async def _tend(self, pod: dict[str, Any]) -> None:
        meta = pod["metadata"]
        if pod["spec"].get("nodeName") in self.lost:
            return
        try:
            if "deletionTimestamp" in meta:
                path = resources.PODS.path(meta["namespace"], meta["name"])
                await self._client.request("DELETE", path, {"gracePeriodSeconds": 0})
            elif not pod["spec"].get("nodeName"):
                await self._bind(meta)
            elif "podIP" not in pod["status"]:
                exits = meta.get("annotations", {}).get("sandbox/behaviour") == "exits"
                await self._status(pod, ready=not exits, exited=0 if exits else None)
        except ApiError as error:
            if not (error.not_found or error.conflict):
                raise

    async def _fetched(self, pod: dict[str, Any]) -> list[dict[str, Any]]:
        """The fetcher's status: it found `bytes`, which must be those of its ConfigMap if any."""
        volumes = pod["spec"].get("volumes") or []
        volume = next((v for v in volumes if v["name"] == "canarium-pin"), None)
        if volume is None:
            return []
        init = pod["spec"]["initContainers"]
        name, namespace = volume["configMap"]["name"], pod["metadata"]["namespace"]
        pinned = None
        with contextlib.suppress(ApiError):
            found = await self._client.get(resources.CONFIG_MAPS, namespace, name)
            pinned = found["data"]["digest"]
        good = pinned in (None, self.bytes)
        changed = {"reason": "ArtifactChanged", "message": "other bytes are there now"}
        said = json.dumps({"digest": self.bytes} if good else changed)
        ended = {"exitCode": 0 if good else 10, "reason": "Completed" if good else "Error"}
        return [
            {
                "name": "fetch",
                "image": init[0]["image"],
                "imageID": resolved(init[0]["image"]),
                "ready": good,
                "restartCount": 0,
                "state": {"terminated": {**ended, "message": said}},
            }
        ]

    async def _bind(self, meta: dict[str, Any]) -> None:
        path = resources.PODS.path(meta["namespace"], meta["name"], "binding")
        await self._client.request(
            "POST",
            path,
            {
                "apiVersion": "v1",
                "kind": "Binding",
                "metadata": {"name": meta["name"]},
                "target": {"apiVersion": "v1", "kind": "Node", "name": self.home},
            },
        )

    async def _status(self, pod: dict[str, Any], *, ready: bool, exited: int | None) -> None:
        meta = pod["metadata"]
        now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
        own = f"{self._network}{next(self._address) % 240 + 10}"
        address = pod["status"].get("podIP") or self._everywhere or own
        state: dict[str, Any] = {"running": {"startedAt": now}}
        if exited is not None:
            ended = {"exitCode": exited, "reason": "Completed" if exited == 0 else "Error"}
            state = {"terminated": {**ended, "startedAt": now, "finishedAt": now}}
        fetched = await self._fetched(pod)
        if any(c["state"]["terminated"]["exitCode"] for c in fetched):
            ready, state = False, {"waiting": {"reason": "PodInitializing"}}
        kinds_of = ("Ready", "ContainersReady")
        word = "True" if ready else "False"
        conditions = [
            {"type": kind, "status": word, "lastTransitionTime": now} for kind in kinds_of
        ]
        conditions.append({"type": "PodScheduled", "status": "True", "lastTransitionTime": now})
        status = {
            **({"initContainerStatuses": fetched} if fetched else {}),
            "phase": "Running",
            "podIP": address,
            "podIPs": [{"ip": address}],
            "startTime": now,
            "conditions": conditions,
            "containerStatuses": [
                {
                    "name": "server",
                    "image": pod["spec"]["containers"][0]["image"],
                    "imageID": resolved(pod["spec"]["containers"][0]["image"]),
                    "ready": ready,
                    "started": ready,
                    "restartCount": 0,
                    "state": state,
                }
            ],
        }
        await self._client.merge(
            resources.PODS, meta["namespace"], meta["name"], {"status": status}, "status"
        )
