"""`helm test` with real helm, roles and API server. The test runs the container of its pod as a
process, with the account of the pod; `e2e/test_installation.py` runs it on a node."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from integration import rights
from sandbox import clients
from sandbox.controlplane import ControlPlane

_OF_THE_TEST = (
    *("get", "pods,serviceaccounts,roles,rolebindings,clusterroles,clusterrolebindings"),
    *("--selector=app.kubernetes.io/name=canarium-test", "--output=name"),
)


class Site:
    """An API server with the release, whose operator the tests pretend."""

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self.plane, self._folder = plane, folder

    def kubectl(self, *words: str, stdin: str | None = None) -> str:
        return self.plane.kubectl("--namespace=canarium", *words, stdin=stdin)

    def helm(self, *words: str) -> subprocess.Popen[str]:
        command = [str(clients.find("helm")), "--kubeconfig", str(self.plane.kubeconfig), *words]
        pipe = subprocess.PIPE
        return subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True)

    def runs(self, replicas: int) -> None:
        """Pretends that so many operators run, and that one of them leads."""
        patch = json.dumps({"status": {"replicas": replicas, "readyReplicas": replicas}})
        self.kubectl("scale", "deployment/canarium", f"--replicas={replicas}")
        status = ("--subresource=status", "--type=merge", "--patch", patch)
        self.kubectl("patch", "deployment", "canarium", *status)
        lease = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": "canarium"},
            "spec": {
                "holderIdentity": "pod-1" if replicas else "",
                "leaseDurationSeconds": 15,
                "renewTime": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
            },
        }
        self.kubectl("apply", "--filename=-", stdin=json.dumps(lease))

    def tested(self) -> tuple[int, str, str]:
        """Exit code and stdout of `helm test`, and what the container of the test printed."""
        helm = self.helm("test", "canarium", "--namespace=canarium", "--timeout=60s")
        try:
            code, logs = self._run(self._pod())
            phase = "Failed" if code else "Succeeded"
            patch = json.dumps({"status": {"phase": phase}})
            status = ("--subresource=status", "--type=merge", "--patch", patch)
            self.kubectl("patch", "pod", "canarium-test", *status)
            out, err = helm.communicate(timeout=60)
        finally:
            helm.kill()
        return helm.returncode, out + err, logs

    def left(self) -> set[str]:
        """What exists of the test."""
        return {*self.kubectl(*_OF_THE_TEST).split()}

    def _pod(self) -> Any:
        end = time.monotonic() + 30
        while time.monotonic() < end:
            pods = json.loads(self.kubectl("get", "pods", "--output=json"))["items"]
            new = [pod for pod in pods if pod["status"].get("phase") == "Pending"]
            if new:
                return new[0]
            time.sleep(0.1)
        raise AssertionError("helm has not created the pod")

    def _run(self, pod: Any) -> tuple[int, str]:
        account = pod["spec"]["serviceAccountName"]
        body = json.loads(self.plane.kubeconfig.read_text())
        token = self.kubectl("create", "token", account).strip()
        body["users"][0]["user"] = {"token": token}
        file = self._folder / "kubeconfig"
        file.write_text(json.dumps(body))
        (container,) = pod["spec"]["containers"]
        done = subprocess.run(
            [sys.executable, "-m", "canarium_cli.main", *container["args"], "--kubeconfig", file],
            env={**os.environ, "KUBECTL": str(clients.find("kubectl"))},
            capture_output=True,
            text=True,
            check=False,
        )
        return done.returncode, done.stdout + done.stderr


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("installation")
    plane = ControlPlane(folder / "plane", controllers=False)
    try:
        plane.up()
        site = Site(plane, folder)
        words = ("install", "canarium", str(rights.CHART), "--namespace=canarium")
        done = site.helm(*words, "--create-namespace", "--set=test.timeout=1s")
        _, err = done.communicate(timeout=60)
        assert done.returncode == 0, err
        plane.api.await_definitions()
        yield site
    finally:
        plane.down()


def test_sound_installation_passes_and_nothing_of_the_test_is_left(site: Site) -> None:
    assert site.left() == set()
    site.runs(2)
    code, printed, logs = site.tested()
    assert code == 0, (printed, logs)
    assert "Succeeded" in printed
    assert [line.split(": ")[0] for line in logs.splitlines()] == [
        f"✓ ok      {subject}" for subject in ("CRDs", "operator", "leader")
    ]
    assert site.left() == set()


def test_operator_that_is_scaled_to_zero_fails_and_only_the_pod_is_left(site: Site) -> None:
    site.runs(0)
    code, printed, logs = site.tested()
    assert code != 0, printed
    assert "is scaled to zero, so no operator runs" in logs
    assert site.left() == {"pod/canarium-test"}
    site.runs(2)
    code, printed, logs = site.tested()
    assert code == 0, (printed, logs)
    assert site.left() == set()
