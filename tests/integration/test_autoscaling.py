"""Kubernetes' own autoscaler in mid-rollout: no share of the traffic changes by it (R5, R6)."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from canarium.api.effective_scaling import effective_scaling
from canarium.kube import resources
from canarium.render import workload
from integration.conftest import Cluster
from integration.metrics_api import MetricsApi

rule = pytest.mark.rule
ROLLOUT = {"steps": [{"weight": 25, "pause": "Manual"}], "bakeTime": "1s"}
CPU = {"name": "cpu", "target": {"type": "AverageValue", "averageValue": "100m"}}
#: It acts at once, in both directions.
ELASTIC: dict[str, Any] = {
    "minReplicas": 2,
    "maxReplicas": 8,
    "metrics": [{"type": "Resource", "resource": CPU}],
    "behavior": {
        "scaleUp": {"policies": [{"type": "Pods", "value": 10, "periodSeconds": 1}]},
        "scaleDown": {"stabilizationWindowSeconds": 0},
    },
}
#: mCPU that take eight pods, and two.
BUSY, QUIET = 750, 150


class Shares:
    """The candidate's share of the ready endpoints, in percent, whenever it changes."""

    def __init__(self, candidate: str) -> None:
        self._candidate = candidate
        self.seen: list[float] = []
        self.pods: tuple[int, int] = (0, 0)

    @contextlib.asynccontextmanager
    async def kept(self, cluster: Cluster) -> AsyncIterator[Shares]:
        task = asyncio.create_task(self._follow(cluster))
        try:
            yield self
            assert not task.done(), task.exception()
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    async def _follow(self, cluster: Cluster) -> None:
        chosen = {"labelSelector": "kubernetes.io/service-name=fraud"}
        slices = (resources.ENDPOINT_SLICES, cluster.namespace)
        now = await cluster.client.list(*slices, **chosen)
        for found in now["items"]:
            self._note(found)
        since = now["metadata"]["resourceVersion"]
        async for event in cluster.client.watch(*slices, resourceVersion=since, **chosen):
            if event["type"] in ("ADDED", "MODIFIED"):
                self._note(event["object"])

    def _note(self, found: dict[str, Any]) -> None:
        """There are few endpoints, so one slice has all of them."""
        ready = [e for e in found.get("endpoints") or () if e["conditions"].get("ready")]
        mine = [e for e in ready if self._candidate in e["targetRef"]["name"]]
        self.pods = (len(ready) - len(mine), len(mine))
        if ready:
            self.seen.append(100 * len(mine) / len(ready))


async def replicas(cluster: Cluster, count: int) -> None:
    """Waits until the stable version alone has so many ready pods."""
    await cluster.until(
        lambda s: s["phase"] == "Ready" and s["stable"].get("readyReplicas") == count, 60
    )


def autoscale_the_model(cluster: Cluster) -> None:
    """An autoscaler of the user's moves `spec.scaling.replicas` by the subresource `scale`."""
    target = {"apiVersion": "canarium.dev/v1alpha1", "kind": "ModelDeployment", "name": "fraud"}
    body = {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "theirs", "namespace": cluster.namespace},
        "spec": {"scaleTargetRef": target, **ELASTIC},
    }
    cluster.plane.kubectl("apply", "-f", "-", stdin=json.dumps(body))


async def at_the_pause(cluster: Cluster, scaling: dict[str, Any]) -> str:
    """Version 2 stands at weight 25 beside eight pods; its revision."""
    cluster.apply("2", scaling=scaling, rollout=ROLLOUT)
    status = await cluster.until(lambda s: (s.get("waitingFor") or {}).get("reason") == "Manual")
    revision: str = status["candidate"]["revision"]
    return revision


def promote(cluster: Cluster, revision: str) -> None:
    note = f"canarium.dev/promote={revision}/on"
    where = ("-n", cluster.namespace, "annotate", "modeldeployment", "fraud", note)
    cluster.plane.kubectl(*where)


# I3
@rule("R5", "R6")
async def test_autoscaler_of_the_model_takes_no_pod_of_stable_until_the_rollout_is_over(
    cluster: Cluster, tmp_path: Path
) -> None:
    async with MetricsApi(cluster.client, BUSY).serving(tmp_path) as metrics:
        cluster.apply("1", scaling=ELASTIC, rollout=ROLLOUT)
        await replicas(cluster, 8)
        stable = (await cluster.model())["status"]["stable"]["revision"]
        candidate = await at_the_pause(cluster, ELASTIC)
        async with Shares(candidate).kept(cluster) as shares:
            await asyncio.sleep(1)
            before = shares.pods
            assert before == (8, 3), "3 of 11 is the least of 25 % and more"
            metrics.load = QUIET
            # It has seen the load and would scale down: only the floor keeps it from it.
            await limited(cluster, f"fraud-{stable}")
            await asyncio.sleep(5)
            assert shares.pods == before
            assert set(shares.seen) == {100 * 3 / 11}
            status = (await cluster.model())["status"]
            assert (status["weight"], status["candidate"]["effectiveWeight"]) == (25, 27)
        promote(cluster, candidate)
        await cluster.phase("Ready", "2")
        await replicas(cluster, 2)


async def limited(cluster: Cluster, name: str, seconds: float = 30) -> None:
    """Waits until an autoscaler reports that it wants fewer pods than it may have."""
    end = asyncio.get_running_loop().time() + seconds
    while asyncio.get_running_loop().time() < end:
        live = await cluster.client.get(resources.AUTOSCALERS, cluster.namespace, name)
        reasons = {c["type"]: c["reason"] for c in live["status"].get("conditions", ())}
        if reasons.get("ScalingLimited") == "TooFewReplicas":
            return
        await asyncio.sleep(0.2)
    raise AssertionError(live["status"])


# I3
@rule("R5", "R6")
async def test_share_never_rises_while_an_autoscaler_scales_the_model_from_8_to_2(
    cluster: Cluster, tmp_path: Path
) -> None:
    async with MetricsApi(cluster.client, BUSY).serving(tmp_path) as metrics:
        scaling = {"replicas": 8}
        cluster.apply("1", scaling=scaling, rollout=ROLLOUT)
        await replicas(cluster, 8)
        candidate = await at_the_pause(cluster, scaling)
        async with Shares(candidate).kept(cluster) as shares:
            await asyncio.sleep(1)
            assert shares.pods == (8, 3)
            metrics.load = QUIET
            autoscale_the_model(cluster)
            await wanted(cluster, 2)
            # Three beside one are the least that give no more than 25 %.
            await settled(shares, (3, 1))
            await asyncio.sleep(3)
            assert shares.pods == (3, 1)
            assert max(shares.seen) <= 100 * 3 / 11 + 0.01, shares.seen
            status = (await cluster.model())["status"]
            assert (status["weight"], status["candidate"]["effectiveWeight"]) == (25, 25)
            assert status["waitingFor"]["reason"] == "Manual"
            print(f"shares from 8 beside 3 to 3 beside 1: {[round(s) for s in shares.seen]}")
        promote(cluster, candidate)
        await cluster.phase("Ready", "2")
        await replicas(cluster, 2)


async def wanted(cluster: Cluster, count: int, seconds: float = 30) -> None:
    end = asyncio.get_running_loop().time() + seconds
    while (await cluster.model())["spec"]["scaling"]["replicas"] != count:
        assert asyncio.get_running_loop().time() < end, "no autoscaler moved the model"
        await asyncio.sleep(0.1)


async def settled(shares: Shares, pods: tuple[int, int], seconds: float = 30) -> None:
    end = asyncio.get_running_loop().time() + seconds
    while shares.pods != pods:
        assert asyncio.get_running_loop().time() < end, (shares.pods, shares.seen)
        await asyncio.sleep(0.1)


@rule("R5", "R23")
async def test_autoscaler_of_ours_without_labels_is_found_by_its_scaling_and_deleted(
    cluster: Cluster, tmp_path: Path
) -> None:
    async with MetricsApi(cluster.client, BUSY).serving(tmp_path):
        cluster.apply("1", scaling={"replicas": 2}, rollout=ROLLOUT)
        await replicas(cluster, 2)
        model = await cluster.model()
        revision = model["status"]["stable"]["revision"]
        body = workload.autoscaler(model, effective_scaling(ELASTIC), revision, 3, 8)
        del body["metadata"]["labels"]
        where = (resources.AUTOSCALERS, cluster.namespace)
        await cluster.client.create(*where, body)
        end = asyncio.get_running_loop().time() + 60
        while (await cluster.client.list(*where))["items"]:
            assert asyncio.get_running_loop().time() < end, "it still scales the version"
            await asyncio.sleep(0.2)
        await replicas(cluster, 2)


@rule("R21", "R29")
async def test_cluster_that_does_not_scale_to_zero_is_reported_in_its_own_words(
    cluster: Cluster,
) -> None:
    """Kubernetes 1.36 refuses it without a feature gate; version and pods stay as they are."""
    metric = {"metric": {"name": "queue"}, "target": {"type": "Value", "value": "1"}}
    external = [{"type": "External", "external": metric}]
    cluster.apply("1", scaling={"minReplicas": 0, "maxReplicas": 2, "metrics": external})
    status = await cluster.until(
        lambda s: s.get("phase") == "Ready" and "rejects" in s.get("message", "")
    )
    assert "HorizontalPodAutoscaler/fraud-" in status["message"]
    assert "spec.minReplicas: Invalid value: 0" in status["message"]
    assert status["stable"]["readyReplicas"] == 1
    cluster.apply("1", scaling={"minReplicas": 1, "maxReplicas": 2, "metrics": external})
    await cluster.until(lambda s: "rejects" not in s.get("message", ""))


@rule("R23")
async def test_behavior_that_was_removed_from_the_spec_is_removed_from_the_autoscaler(
    cluster: Cluster,
) -> None:
    cluster.apply("1", scaling=ELASTIC)
    status = await cluster.phase("Ready", "1")
    name = f"fraud-{status['stable']['revision']}"
    where = (resources.AUTOSCALERS, cluster.namespace, name)
    first = (await cluster.client.get(*where))["spec"]["behavior"]
    assert first["scaleDown"]["stabilizationWindowSeconds"] == 0
    cluster.apply("1", scaling={key: ELASTIC[key] for key in ("minReplicas", "maxReplicas")})
    for _ in range(100):
        # The API server fills in its own defaults.
        behavior = (await cluster.client.get(*where))["spec"].get("behavior", {})
        if "stabilizationWindowSeconds" not in behavior.get("scaleDown", {}):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(behavior)
