"""One story that a Prometheus watches: a model is promoted, promoted again and rolled back.

The tests read what it left behind: the log of the operator, the series in Prometheus, the objects.
"""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from canarium.kube.http import Client
from integration.conftest import PATIENT_LEASE, ROOT, Cluster, Operator
from integration.kubelet import Kubelet
from integration.monitoring.prometheus import Prometheus, free_port, running
from sandbox import machine
from sandbox.choice import NoMode
from sandbox.controlplane import ControlPlane
from sandbox.options import Options
from sandbox.progress import Progress

NAMESPACE = "monitored"
EXITS = {"metadata": {"annotations": {"sandbox/behaviour": "exits"}}}


@dataclass(frozen=True)
class Story:
    """What happened, from `start` to `end` in POSIX seconds."""

    plane: ControlPlane
    operator: Operator
    prometheus: Prometheus
    start: float
    end: float
    #: The status of the model after its rollback.
    status: dict[str, Any]

    @property
    def log(self) -> list[dict[str, Any]]:
        """The lines of the operator's log; raises ValueError for one that is not JSON."""
        return [json.loads(line) for line in self.operator.text().splitlines()]


def rollout(prometheus: Prometheus, value: float) -> dict[str, Any]:
    """Returns half of the traffic for two seconds, with a check whose value is `value`, and one
    that compares with stable."""
    check = {"url": prometheus.url, "query": f"vector({value})"}
    # Without a URL: the Prometheus of the operator, which is the same one.
    same = {"query": "vector(1)", "samplesQuery": "vector(900)"}
    return {
        "rollout": {
            "steps": [{"weight": 50, "pause": "2s"}],
            "bakeTime": "1s",
            "analysis": {
                "interval": "1s",
                "checks": [
                    {"name": "errors", "max": "0.1", "prometheus": check},
                    {"name": "ratio", "maxRatioToStable": "3", "prometheus": same},
                ],
            },
        }
    }


async def play(plane: ControlPlane, operator: Operator, prometheus: Prometheus) -> dict[str, Any]:
    async with Client.connect(str(plane.kubeconfig)) as client, Kubelet(client).running() as node:
        cluster = Cluster(plane, client, node, operator, NAMESPACE)
        # `increase` does not include what was counted before the first scrape.
        async with asyncio.timeout(60):
            while not prometheus.instant("canarium_leader == 1"):  # noqa: ASYNC110
                await asyncio.sleep(0.2)
        cluster.apply("1", **rollout(prometheus, 0.01))
        cluster.apply("1", name="broken", podTemplate=EXITS)
        await cluster.phase("Ready", "1")
        await cluster.until(lambda s: s.get("phase") == "Failed", name="broken")
        failed = time.monotonic()
        command = ("annotate", "modeldeployments", "fraud", "canarium.dev/abort=00000/1")
        plane.kubectl("-n", NAMESPACE, *command)
        await cluster.until(lambda s: bool(s.get("commands")))
        cluster.apply("2", **rollout(prometheus, 0.02))
        await cluster.phase("Ready", "2", seconds=60)
        cluster.apply("3", **rollout(prometheus, 0.5))
        status: dict[str, Any] = await cluster.phase("RolledBack", seconds=60)
        # For the scrape after the last write, and the resolution of the time to restore.
        await asyncio.sleep(max(2.5, failed + 17 - time.monotonic()))
        return status


def scrape_job(port: int) -> dict[str, Any]:
    """The job of the guide. Its targets are what the discovery of Kubernetes finds for a pod."""
    job: dict[str, Any]
    (job,) = yaml.safe_load((ROOT / "examples" / "monitoring" / "prometheus.yaml").read_text())
    # Debian builds Prometheus without it.
    del job["kubernetes_sd_configs"]
    pod = {
        "__meta_kubernetes_namespace": "canarium",
        "__meta_kubernetes_pod_name": "canarium-0",
        "__meta_kubernetes_pod_label_app_kubernetes_io_instance": "canarium",
    }
    ports = {"metrics": port, "health": 1}
    targets = [
        {
            "targets": [f"127.0.0.1:{number}"],
            "labels": {**pod, "__meta_kubernetes_pod_container_port_name": name},
        }
        for name, number in ports.items()
    ]
    return {**job, "static_configs": targets}


def alert_groups() -> list[dict[str, Any]]:
    """Returns the chart's alerts for a release of three shards in the namespace `canarium`, which
    fire at once instead of after minutes."""
    groups: list[dict[str, Any]]
    text = (ROOT / "charts" / "canarium" / "files" / "alerts.yaml").read_text()
    text = text.replace("RELEASENAMESPACE", "canarium").replace("RELEASESHARDS", "3")
    groups = yaml.safe_load(text)["groups"]
    for group in groups:
        for rule in group["rules"]:
            rule.pop("for", None)
    return groups


@pytest.fixture(scope="package")
def installed() -> None:
    """Requires a Prometheus."""
    try:
        machine.ensure({"prometheus": "prometheus"}, Options(), Progress(quiet=True))
    except NoMode as missing:
        if os.environ.get("CI"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))


@pytest.fixture(scope="package")
def story(
    plane: ControlPlane, granted: Path, installed: None, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Story]:
    folder = tmp_path_factory.mktemp("monitoring")
    port, address = free_port(), free_port()
    flags = ["--namespace", NAMESPACE, "--lease-namespace", "default", *PATIENT_LEASE]
    flags += ["--metrics-port", str(port), "--allow-address", "127.0.0.1"]
    flags += ["--log-format", "json", "--log-level", "DEBUG"]
    flags += ["--prometheus-url", f"http://127.0.0.1:{address}", "--prometheus-all-namespaces"]
    job = scrape_job(port)
    plane.kubectl("create", "namespace", NAMESPACE)
    operator = Operator(granted, folder / "operator.log", *flags)
    start = time.time()
    with running(folder / "prometheus", address, [job], alert_groups()) as prometheus:
        operator.start()
        try:
            status = asyncio.run(play(plane, operator, prometheus))
            end = time.time()
        finally:
            operator.stop()
        yield Story(plane, operator, prometheus, start, end, status)
    plane.kubectl("-n", NAMESPACE, "delete", "modeldeployments", "--all")
