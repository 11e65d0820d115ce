"""A cluster that the user names is used as it is, and left as it was."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from sandbox.controlplane import ControlPlane


def test_named_cluster_takes_precedence_and_outlives_the_sandbox(
    plane: ControlPlane, tmp_path: Path
) -> None:
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "CANARIUM_SANDBOX": "yours"}

    def sandbox(*words: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "sandbox", *words]
        return subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=60, check=False
        )

    up = sandbox("up", "--kubeconfig", str(plane.kubeconfig))
    assert up.returncode == 0, up.stderr
    assert "external: you named a cluster" in up.stdout + up.stderr
    namespaces = sandbox("kubectl", "get", "namespaces", "-o", "name")
    assert "namespace/kube-system" in namespaces.stdout, namespaces.stderr
    assert sandbox("down").returncode == 0
    assert sandbox("kubectl", "get", "namespaces").returncode != 0
    assert "namespace/kube-system" in plane.kubectl("get", "namespaces", "-o", "name")
