"""Kubernetes' own autoscaler scales models to zero and back, and a scaler such as KEDA does so by
the scale subresource: no version is judged without pods (R5, R15, R17)."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from canarium.kube import resources
from integration import aggregated_api, rights
from integration.conftest import Cluster, control_plane
from integration.external_metrics_api import GROUP, Adapter
from sandbox.controlplane import ControlPlane

rule = pytest.mark.rule
#: One pod for each message in the queue, at once and in both directions.
BY_QUEUE: dict[str, Any] = {
    "minReplicas": 0,
    "maxReplicas": 4,
    "metrics": [
        {
            "type": "External",
            "external": {
                "metric": {"name": "queue_length"},
                "target": {"type": "AverageValue", "averageValue": "1"},
            },
        }
    ],
    "behavior": {
        "scaleUp": {"policies": [{"type": "Pods", "value": 10, "periodSeconds": 1}]},
        "scaleDown": {"stabilizationWindowSeconds": 0},
    },
}
#: The check fails by a value that the queue has without a pod, and passes by one of a busy queue.
JUDGED = {
    "steps": [{"weight": 25, "pause": "1s"}],
    "bakeTime": "1s",
    "analysis": {
        "interval": "1s",
        "checks": [
            {"name": "queue", "external": {"metric": "queue_length"}, "min": "1", "failureLimit": 0}
        ],
    },
}


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A control plane whose autoscaler may scale to zero, as that of Kubernetes 1.37 by default."""
    folder = tmp_path_factory.mktemp("scale-to-zero")
    with control_plane(folder, features="HPAScaleToZero=true") as plane:
        yield plane


@pytest.fixture(scope="module")
def granted(plane: ControlPlane) -> Path:
    folder = plane.folder.parent
    return rights.granted(
        plane, 'externalMetrics=["queue_length"]', into=folder / "scale-to-zero.kubeconfig"
    )


@pytest_asyncio.fixture
async def queue(cluster: Cluster, tmp_path: Path) -> AsyncIterator[Adapter]:
    adapter = Adapter(default="0")
    async with aggregated_api.serving(cluster.client, tmp_path, GROUP, adapter.application()):
        yield adapter


def wait_reason(status: dict[str, Any]) -> str | None:
    reason: str | None = (status.get("waitingFor") or {}).get("reason")
    return reason


def available(status: dict[str, Any]) -> str:
    return next(c["reason"] for c in status["conditions"] if c["type"] == "Available")


async def pods(cluster: Cluster) -> int:
    return len(await cluster.children(resources.PODS))


async def no_pods(cluster: Cluster, seconds: float = 40) -> None:
    end = asyncio.get_running_loop().time() + seconds
    while await pods(cluster):
        assert asyncio.get_running_loop().time() < end, await cluster.model()
        await asyncio.sleep(0.2)


@rule("R4", "R5", "R17")
async def test_candidate_waits_and_is_not_judged_until_the_autoscaler_scales_up(
    cluster: Cluster, queue: Adapter
) -> None:
    cluster.apply("1", scaling=BY_QUEUE, rollout=JUDGED)
    await cluster.phase("Ready", "1")
    status = await cluster.until(lambda s: available(s) == "ScaledToZero", 60)
    assert status["phase"] == "Ready"
    assert "is live but scaled to zero" in status["message"]
    await no_pods(cluster)
    cluster.apply("2", scaling=BY_QUEUE, rollout=JUDGED)
    status = await cluster.until(lambda s: wait_reason(s) == "ScaledToZero")
    stable = status["stable"]["revision"]
    await asyncio.sleep(3)
    assert not await pods(cluster), "a new version starts no pod"
    assert (await cluster.model())["status"].get("failure") is None
    queue.default = "3"
    # A rollout that sees the queue empty again keeps its pods: the floor of stable lasts.
    await cluster.until(lambda s: (s["stable"] or {}).get("readyReplicas") == 3, 60)
    where = (resources.AUTOSCALERS, cluster.namespace, f"fraud-{stable}")
    low = (await cluster.client.get(*where))["spec"]["minReplicas"]
    assert low == 3
    await cluster.phase("Ready", "2", 60)
    queue.default = "0"
    await cluster.until(lambda s: available(s) == "ScaledToZero", 60)
    await no_pods(cluster)
    assert (await cluster.model())["status"]["phase"] == "Ready"


@rule("R23", "R29")
async def test_model_at_zero_is_scaled_up_when_its_autoscaler_would_not(
    cluster: Cluster, queue: Adapter
) -> None:
    """A new autoscaler, and one whose Deployment another client scaled to zero, stay at zero."""
    cluster.apply("1", scaling=BY_QUEUE)
    status = await cluster.phase("Ready", "1")
    name = f"fraud-{status['stable']['revision']}"
    await cluster.until(lambda s: available(s) == "ScaledToZero", 60)
    await no_pods(cluster)
    queue.default = "2"
    await cluster.client.delete(resources.AUTOSCALERS, cluster.namespace, name)
    await cluster.until(lambda s: (s["stable"] or {}).get("readyReplicas") == 2, 60)
    where = ("-n", cluster.namespace)
    cluster.plane.kubectl(*where, "scale", f"deployment/{name}", "--replicas=0")
    await no_pods(cluster)
    await cluster.until(lambda s: (s["stable"] or {}).get("readyReplicas") == 2, 60)
    queue.default = "0"
    await cluster.until(lambda s: available(s) == "ScaledToZero", 60)
    await no_pods(cluster)


class Scaler:
    """What KEDA's operator does with a ScaledObject for the model: it sets 0 and 1 through the
    scale subresource, and leaves all above to the autoscaler that it creates."""

    def __init__(self, cluster: Cluster) -> None:
        self._cluster = cluster

    def create_autoscaler(self) -> None:
        target = {"apiVersion": "canarium.dev/v1alpha1", "kind": "ModelDeployment", "name": "fraud"}
        body = {
            "apiVersion": "autoscaling/v2",
            "kind": "HorizontalPodAutoscaler",
            "metadata": {"name": "keda-hpa-fraud", "namespace": self._cluster.namespace},
            "spec": {"scaleTargetRef": target, **BY_QUEUE, "minReplicas": 1},
        }
        self._cluster.plane.kubectl("apply", "-f", "-", stdin=json.dumps(body))

    async def scale_to_zero(self) -> None:
        """Once the autoscaler has scaled the model to its minimum, and would write no more."""
        end = asyncio.get_running_loop().time() + 60
        while (await self._cluster.model())["spec"]["scaling"]["replicas"] != 1:
            assert asyncio.get_running_loop().time() < end, "the autoscaler did not scale down"
            await asyncio.sleep(0.2)
        self._scale(0)

    def scale_from_zero(self) -> None:
        self._scale(1)

    def _scale(self, replicas: int) -> None:
        where = ("-n", self._cluster.namespace)
        self._cluster.plane.kubectl(
            *where, "scale", "modeldeployment/fraud", f"--replicas={replicas}"
        )


@rule("R5", "R15", "R17")
async def test_scaler_of_the_scale_subresource_holds_rollout_and_bake_at_zero(
    cluster: Cluster, queue: Adapter
) -> None:
    scaler = Scaler(cluster)
    manual = {"steps": [{"weight": 25, "pause": "Manual"}], "bakeTime": "6s"}
    cluster.apply("1", scaling={"replicas": 1}, rollout=manual)
    await cluster.phase("Ready", "1")
    queue.default = "3"
    scaler.create_autoscaler()
    await cluster.until(lambda s: (s["stable"] or {}).get("readyReplicas") == 3, 60)
    scaling = (await cluster.model())["spec"]["scaling"]
    cluster.apply("2", scaling=scaling, rollout=manual)
    status = await cluster.until(lambda s: wait_reason(s) == "Manual", 60)
    candidate = status["candidate"]["revision"]
    queue.default = "0"
    await scaler.scale_to_zero()
    status = await cluster.until(lambda s: wait_reason(s) == "ScaledToZero", 60)
    await no_pods(cluster)
    await asyncio.sleep(2)
    assert not await pods(cluster), "the autoscaler, disabled at zero, leaves it there"
    queue.default = "2"
    scaler.scale_from_zero()
    status = await cluster.until(lambda s: wait_reason(s) == "Manual", 60)
    assert status["weight"] == 25
    note = f"canarium.dev/promote={candidate}/on"
    cluster.plane.kubectl("-n", cluster.namespace, "annotate", "modeldeployment/fraud", note)
    await cluster.phase("Baking", "2", 60)
    queue.default = "0"
    await scaler.scale_to_zero()
    await cluster.until(lambda s: wait_reason(s) == "ScaledToZero", 60)
    await no_pods(cluster)
    await asyncio.sleep(7)
    phase = (await cluster.model())["status"]["phase"]
    assert phase == "Baking", "a bake without pods proves nothing"
    queue.default = "2"
    scaler.scale_from_zero()
    await cluster.phase("Ready", "2", 60)
