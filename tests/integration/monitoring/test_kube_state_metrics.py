"""kube-state-metrics with our configuration, the rights of its example, and real models."""

from __future__ import annotations

import json
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from canarium.api.states import Phase
from integration.conftest import ROOT
from integration.monitoring.conftest import NAMESPACE, Story
from integration.monitoring.prometheus import free_port
from sandbox import binaries
from sandbox.controlplane import ControlPlane

VALUES = yaml.safe_load((ROOT / "examples" / "monitoring" / "kube-state-metrics.yaml").read_text())
CONFIG = VALUES["customResourceState"]["config"]
Samples = dict[str, list[tuple[dict[str, str], float]]]


def granted(plane: ControlPlane, into: Path) -> Path:
    """A kubeconfig of a user with the rights of the example, and no others."""
    user = [{"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": "kube-state-metrics"}]
    role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "example-ksm"}
    meta = {"metadata": {"name": "example-ksm"}, "apiVersion": "rbac.authorization.k8s.io/v1"}
    bodies = [
        {**meta, "kind": "ClusterRole", "rules": VALUES["rbac"]["extraRules"]},
        {**meta, "kind": "ClusterRoleBinding", "roleRef": role, "subjects": user},
    ]
    plane.kubectl("apply", "-f", "-", stdin=yaml.safe_dump_all(bodies))
    config = json.loads(plane.kubeconfig.read_text())
    config["users"][0]["user"] |= {"as": "kube-state-metrics"}
    into.write_text(json.dumps(config))
    return into


def read(port: int) -> Samples:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    samples: Samples = {}
    for family in text_string_to_metric_families(text):
        for one in family.samples:
            samples.setdefault(one.name, []).append((dict(one.labels), one.value))
    return samples


@pytest.fixture(scope="module")
def samples(story: Story, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Samples]:
    folder = tmp_path_factory.mktemp("kube-state-metrics")
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump(CONFIG))
    port = free_port()
    command = [
        str(binaries.find("kube-state-metrics")),
        "--custom-resource-state-only", "--custom-resource-state-config-file", str(config),
        "--kubeconfig", str(granted(story.plane, folder / "kubeconfig")),
        "--host", "127.0.0.1", "--port", str(port),
        "--telemetry-host", "127.0.0.1", "--telemetry-port", str(free_port()),
    ]  # fmt: skip
    log = folder / "log"
    with log.open("wb") as output, subprocess.Popen(command, stderr=output) as process:
        try:
            yield awaited(process, port, log)
        finally:
            process.terminate()
            process.wait(20)


def awaited(process: subprocess.Popen[bytes], port: int, log: Path) -> Samples:
    """The samples, once there are some of both models."""
    end = time.monotonic() + 60
    found: Samples = {}
    while time.monotonic() < end:
        assert process.poll() is None, log.read_text()[-3000:]
        try:
            found = read(port)
        except OSError:
            found = {}
        if len(of(found, "kube_modeldeployment_created")) == 2:
            return found
        time.sleep(0.3)
    raise AssertionError(f"{found}\n{log.read_text()[-3000:]}")


def of(samples: Samples, metric: str, model: str = "", **labels: str) -> list[Any]:
    own = {"namespace": NAMESPACE, **({"name": model} if model else {}), **labels}
    return [(one, value) for one, value in samples.get(metric, ()) if own.items() <= one.items()]


def test_phase_version_and_generation_are_those_of_the_model(
    story: Story, samples: Samples
) -> None:
    phases = of(samples, "kube_modeldeployment_status_phase", "fraud")
    assert {labels["phase"] for labels, value in phases if value == 1} == {"RolledBack"}
    failed = of(samples, "kube_modeldeployment_status_phase", "broken", phase="Failed")
    assert [value for _, value in failed] == [1]
    ((info, one),) = of(samples, "kube_modeldeployment_info", "fraud")
    stable = story.status["stable"]
    assert (info["version"], info["revision"], one) == ("2", stable["revision"], 1)
    generations = [
        of(samples, f"kube_modeldeployment_{name}", "fraud")[0][1]
        for name in ("spec_generation", "status_observed_generation")
    ]
    assert generations == [3, 3]


def test_conditions_are_those_of_the_status(story: Story, samples: Samples) -> None:
    expected = {
        (c["type"], c["reason"]): float(c["status"] == "True")
        for c in story.status["conditions"]
        if c["status"] != "Unknown"
    }
    found = {
        (labels["type"], labels["reason"]): value
        for labels, value in of(samples, "kube_modeldeployment_status_condition", "fraud")
    }
    assert expected
    assert expected.items() <= found.items()


def test_configuration_lists_every_phase() -> None:
    (resource,) = CONFIG["spec"]["resources"]
    (phase,) = (m["each"]["stateSet"] for m in resource["metrics"] if "stateSet" in m["each"])
    assert phase["list"] == [one.value for one in Phase]


def test_every_metric_but_the_weight_of_a_rollout_has_samples(samples: Samples) -> None:
    (resource,) = CONFIG["spec"]["resources"]
    names = {f"kube_modeldeployment_{metric['name']}" for metric in resource["metrics"]}
    assert names - samples.keys() <= {"kube_modeldeployment_status_weight_percent"}
