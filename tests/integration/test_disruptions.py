"""Disruptions of pods and children from outside are not the version's fault (R23 to R25)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from canarium.kube import resources
from integration.conftest import Cluster

rule = pytest.mark.rule
SLOW = {"steps": [{"weight": 50, "pause": "2s"}], "bakeTime": "0s"}


async def pods_of(cluster: Cluster, revision: str) -> list[dict[str, Any]]:
    found = await cluster.children(resources.PODS)
    return [p for p in found if p["metadata"]["labels"]["canarium.dev/revision"] == revision]


async def shared(cluster: Cluster, **spec: Any) -> str:
    """Version 2 has half of the traffic; its revision."""
    cluster.apply("1", **spec)
    await cluster.phase("Ready", "1")
    cluster.apply("2", rollout=SLOW, **spec)
    status = await cluster.until(lambda s: (s.get("weight") or 0) == 50)
    revision: str = status["candidate"]["revision"]
    return revision


@rule("R25")
async def test_lost_node_does_not_fail_the_version_on_it(cluster: Cluster) -> None:
    revision = await shared(cluster)
    cluster.kubelet.lost.add("node")
    cluster.kubelet.home = "node-2"
    for pod in await pods_of(cluster, revision):
        await cluster.kubelet.unready(pod, seconds=30, lost=True)
    await asyncio.sleep(0.5)
    assert "failure" not in (await cluster.model())["status"]
    # After its patience the taint controller deletes them; no kubelet reports that they ended.
    for pod in await pods_of(cluster, revision):
        await cluster.kubelet.disrupt(pod)
    status = await cluster.phase("Ready", "2")
    assert status["stable"]["revision"] == revision
    assert {o["outcome"] for o in status["history"]} == {"Promoted"}
    cluster.kubelet.lost.clear()


@rule("R7", "R25")
async def test_failing_probe_fails_the_version(cluster: Cluster) -> None:
    """The same signal but for where it comes from: the kubelet itself reports it. One pod is
    enough, and the others are deleted by the rollback that it causes."""
    revision = await shared(cluster)
    pod, *_ = await pods_of(cluster, revision)
    await cluster.kubelet.unready(pod, seconds=30, lost=False)
    status = await cluster.phase("RolledBack", "1")
    assert status["failure"]["reason"] == "ProbeFailed"


@rule("R25")
async def test_drained_pods_are_replaced_and_the_rollout_continues(cluster: Cluster) -> None:
    # Without a budget, so that all pods are evicted at once.
    revision = await shared(cluster, podDisruptionBudget={"enabled": False})
    for pod in await pods_of(cluster, revision):
        await cluster.kubelet.evict(pod)
    status = await cluster.phase("Ready", "2")
    assert {o["outcome"] for o in status["history"]} == {"Promoted"}


@rule("R23", "R24")
async def test_children_that_lost_their_labels_get_them_back(cluster: Cluster) -> None:
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    before = {
        (kind.kind, c["metadata"]["uid"], c["metadata"].get("generation"))
        for kind in (resources.DEPLOYMENTS, resources.SERVICES, resources.RECORDS)
        for c in await cluster.children(kind)
    }
    for kind in ("deployment", "service", "controllerrevision"):
        cluster.plane.kubectl(
            "-n",
            cluster.namespace,
            "label",
            kind,
            "-l",
            "canarium.dev/model",
            "canarium.dev/model-",
        )

    async def now() -> set[Any]:
        return {
            (kind.kind, c["metadata"]["uid"], c["metadata"].get("generation"))
            for kind in (resources.DEPLOYMENTS, resources.SERVICES, resources.RECORDS)
            for c in await cluster.children(kind)
        }

    for _ in range(100):
        if await now() == before:
            break
        await asyncio.sleep(0.1)
    assert await now() == before
    await cluster.phase("Ready", "1")


@rule("R23")
async def test_selector_narrowed_by_hand_during_a_rollout_selects_both_again(
    cluster: Cluster,
) -> None:
    """A key that the operator does not set is removed too: the selector has one owner as a whole.
    The simulated API server relies on that."""
    manual = {"steps": [{"weight": 50, "pause": "Manual"}], "bakeTime": "0s"}
    cluster.apply("1", rollout=manual)
    await cluster.phase("Ready", "1")
    (before,) = await cluster.children(resources.DEPLOYMENTS)
    color = before["metadata"]["labels"]["canarium.dev/color"]
    cluster.apply("2", rollout=manual)
    await cluster.until(lambda s: (s.get("weight") or 0) == 50)
    patch = json.dumps({"spec": {"selector": {"canarium.dev/color": color}}})
    cluster.plane.kubectl("-n", cluster.namespace, "patch", "service", "fraud", "-p", patch)

    async def selector() -> dict[str, str]:
        (service,) = await cluster.children(resources.SERVICES)
        return dict(service["spec"]["selector"])

    for _ in range(100):
        if "canarium.dev/color" not in await selector():
            break
        await asyncio.sleep(0.1)
    assert await selector() == {"canarium.dev/model": "fraud"}
