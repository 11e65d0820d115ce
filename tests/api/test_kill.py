"""The operator is killed (-9) at each of its writes in turn; the end is as without.

Each run has a namespace and an operator of its own, without a Lease: the successor starts at once.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from api.conftest import Cluster, Operator
from api.faulty import Mortal
from api.kubelet import Kubelet
from canarium.kube import kinds
from canarium.kube.transport import Client
from sandbox.controlplane import ControlPlane

rule = pytest.mark.rule
_AT_ONCE = 10
_serial = itertools.count()
BAD = {"metadata": {"annotations": {"sandbox/behaviour": "exits"}}}


@pytest_asyncio.fixture
async def client(plane: ControlPlane) -> AsyncIterator[Client]:
    async with Client.connect(str(plane.kubeconfig)) as client:
        task = asyncio.create_task(Kubelet(client).run())
        yield client
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Run:
    """One story under an operator that dies at one write."""

    def __init__(self, plane: ControlPlane, client: Client, die_at: int) -> None:
        namespace = f"kill-{next(_serial)}"
        plane.kubectl("create", "namespace", namespace)
        log = plane.folder.parent / f"{namespace}.log"
        self.mortal = Mortal(plane.kubeconfig, namespace, log, die_at)
        unused: Any = None
        self.cluster = Cluster(plane, client, unused, Operator(plane.kubeconfig, log), namespace)

    async def apply(self, version: str, **spec: Any) -> None:
        await asyncio.to_thread(self.cluster.apply, version, **spec)

    async def phase(self, phase: str, version: str) -> None:
        waiting = asyncio.create_task(self.cluster.phase(phase, version, seconds=90))
        while not waiting.done():
            self.mortal.look()
            await asyncio.wait([waiting], timeout=0.1)
        await waiting

    async def end(self) -> dict[str, Any]:
        """What is left in the cluster, less what no two runs have in common."""
        await asyncio.sleep(0.3)
        self.mortal.look()
        status = (await self.cluster.model())["status"]
        deployments = await self.cluster.children(kinds.DEPLOYMENTS)
        (service,) = await self.cluster.children(kinds.SERVICES)
        records = await self.cluster.children(kinds.RECORDS)
        promoted = "canarium.dev/promoted-at"
        notes = {k: v for k, v in service["metadata"]["annotations"].items() if k != promoted}
        return {
            "status": (status["phase"], status["version"]),
            "deployments": {
                d["metadata"]["name"]: (d["metadata"]["generation"], d["spec"]) for d in deployments
            },
            "service": (service["spec"]["selector"], notes),
            "records": {r["metadata"]["name"]: r["data"]["template"] for r in records},
        }


async def rollout(run: Run) -> int:
    """Version 1, then version 2; how many writes had been made before the story began."""
    await run.apply("1")
    await run.phase("Ready", "1")
    await run.apply("2")
    await run.phase("Ready", "2")
    return 0


async def rollback(run: Run) -> int:
    await run.apply("1")
    await run.phase("Ready", "1")
    before = run.mortal.made.value
    await run.apply("2", podTemplate=BAD)
    await run.phase("RolledBack", "1")
    return int(before)


async def sweep(plane: ControlPlane, client: Client, story: Any) -> tuple[int, int]:
    """The story without a fault, and then with a death at each write that this one made."""
    limit = asyncio.Semaphore(_AT_ONCE)

    async def once(die_at: int) -> tuple[dict[str, Any], bool, int, int]:
        async with limit:
            run = await asyncio.to_thread(Run, plane, client, die_at)
            try:
                before = await story(run)
                end = await run.end()
                return end, run.mortal.died, before, run.mortal.made.value
            finally:
                await run.cluster.client.delete(kinds.MODELS, run.cluster.namespace, "fraud")
                await asyncio.to_thread(run.mortal.stop)

    wanted, died, before, made = await once(0)
    assert not died
    swept = range(before + 1, made + 1)
    results = await asyncio.gather(*(once(k) for k in swept))
    for k, (end, *_) in zip(swept, results, strict=True):
        assert end == wanted, f"killed at write {k} of {made}"
    deaths = sum(died for _, died, *_ in results)
    print(f"{story.__name__}: killed at {deaths} of {len(swept)} writes")
    return len(swept), deaths


@rule("R18")
async def test_rollout_ends_the_same_whichever_write_the_operator_was_killed_at(
    plane: ControlPlane, client: Client
) -> None:
    writes, deaths = await sweep(plane, client, rollout)
    assert writes >= 10
    # A run may make a status write less than the one that was counted, never more than one.
    assert deaths >= writes - 1


@rule("R9", "R18")
async def test_rollback_ends_the_same_whichever_write_the_operator_was_killed_at(
    plane: ControlPlane, client: Client
) -> None:
    writes, deaths = await sweep(plane, client, rollback)
    assert writes >= 5
    assert deaths >= writes - 1
