"""Checks by external.metrics.k8s.io: a real API server, an adapter, and the rights of the chart."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from integration import aggregated_api, rights
from integration.conftest import PATIENT_LEASE, Cluster, Operator
from integration.external_metrics_api import GROUP, Adapter
from sandbox.controlplane import ControlPlane
from support.docs import documented

rule = pytest.mark.rule
STEPS = [{"weight": 50, "pause": "500ms"}]


@pytest.fixture(scope="module")
def operator(plane: ControlPlane, granted: Path) -> Iterator[Operator]:
    folder = plane.folder.parent
    allowed = rights.granted(
        plane, 'externalMetrics=["queue_age"]', into=folder / "external.kubeconfig"
    )
    flags = ("--lease-namespace", "default", *PATIENT_LEASE)
    operator = Operator(allowed, folder / "operator-external.log", *flags)
    operator.start()
    yield operator
    operator.stop()
    assert rights.Audit(plane).forbidden() == set()
    rights.granted(plane, into=granted)


def checked(metric: str = "queue_age", **more: Any) -> dict[str, Any]:
    external = {"metric": metric, "selector": {"revision": "{{ revision }}"}}
    check = {"name": "queue", "external": external, "max": "30s", **more}
    return {
        "steps": STEPS,
        "bakeTime": "1s",
        "analysis": {"interval": "1s", "checks": [check]},
    }


def reason(status: dict[str, Any]) -> str:
    checks = status.get("analysis", {}).get("checks") or [{}]
    return str(checks[0].get("reason"))


def message(status: dict[str, Any]) -> str:
    checks = status.get("analysis", {}).get("checks") or [{}]
    return str(checks[0].get("message"))


def ready_text(status: dict[str, Any]) -> str:
    found = (c for c in status["conditions"] if c["type"] == "AnalysisReady")
    return str(next(found, {}).get("message"))


async def rolling(cluster: Cluster, rollout: dict[str, Any]) -> None:
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    cluster.apply("2", rollout=rollout)


@rule("R17", "R29")
async def test_api_that_is_absent_holds_the_rollout_until_an_adapter_serves_it(
    cluster: Cluster, tmp_path: Path
) -> None:
    await rolling(cluster, checked())
    status = await cluster.until(lambda s: reason(s) == "QueryFailed")
    assert status["version"] == "1"
    assert message(status).startswith("external.metrics.k8s.io: ")
    await asyncio.sleep(2)
    assert (await cluster.model())["status"]["version"] == "1", "an error never passes"
    adapter = Adapter()
    async with aggregated_api.serving(cluster.client, tmp_path, GROUP, adapter.application()):
        status = await cluster.phase("Ready", "2", 60)
        candidate = status["stable"]["revision"]
        words = documented("docs/guides/metrics-services.md", "kubectl get --raw")
        path = words[-1].replace("/risk/", f"/{cluster.namespace}/").replace("abcd2345", candidate)
        # In a thread, since the adapter answers here.
        printed = await asyncio.to_thread(cluster.plane.kubectl, *words[:-1], path)
        assert [one["metricName"] for one in json.loads(printed)["items"]] == ["queue_age"]
    assert set(adapter.requests) == {(cluster.namespace, f"revision={candidate}")}


@rule("R8", "R17")
async def test_value_of_the_candidate_above_its_bound_rolls_back(
    cluster: Cluster, tmp_path: Path
) -> None:
    adapter = Adapter(default="45500m")
    cluster.apply("1")
    stable = (await cluster.phase("Ready", "1"))["stable"]["revision"]
    adapter.values[stable] = "10"
    async with aggregated_api.serving(cluster.client, tmp_path, GROUP, adapter.application()):
        cluster.apply("2", rollout=checked(maxRatioToStable="2"))
        status = await cluster.phase("RolledBack", "1", 60)
    failure = status["failure"]
    assert failure["reason"] == "AnalysisFailed"
    assert float(failure["observed"]) == 45.5
    assert (cluster.namespace, f"revision={stable}") in adapter.requests


@rule("R17", "R29")
async def test_adapter_that_fails_and_metric_that_is_not_granted_are_reported(
    cluster: Cluster, tmp_path: Path
) -> None:
    adapter = Adapter(broken=True)
    async with aggregated_api.serving(cluster.client, tmp_path, GROUP, adapter.application()):
        await rolling(cluster, checked())
        await cluster.until(lambda s: "no metrics from the queue" in message(s), 60)
        cluster.apply("2", rollout=checked("secret_age"))
        status = await cluster.until(lambda s: "secret_age" in ready_text(s), 60)
    assert status["version"] == "1"
    assert f'cannot list resource "secret_age" in API group "{GROUP}"' in ready_text(status)
