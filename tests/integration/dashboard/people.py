"""The dashboard as in a cluster, and people with different rights."""

from __future__ import annotations

import base64
import json
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sandbox.controlplane import ControlPlane

_READ = ["get", "list", "watch"]


@contextmanager
def served(plane: ControlPlane, folder: Path, *flags: str) -> Iterator[str]:
    """Runs `python -m canarium_dashboard` beside the API server; yields its address."""
    cluster = json.loads(plane.kubeconfig.read_text())["clusters"][0]["cluster"]
    authority = folder / "api-ca.crt"
    authority.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "canarium_dashboard", f"--listen=127.0.0.1:{port}"]
    command += [f"--api-server={cluster['server']}", f"--api-server-ca={authority}", *flags]
    log = folder / "dashboard.log"
    with log.open("ab") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env={**os.environ, "PYTHONWARNINGS": "default"}
        )
    address = f"http://127.0.0.1:{port}"
    try:
        _await(f"{address}/healthz", process, log)
        yield address
        assert process.poll() is None, log.read_text()[-2000:]
    finally:
        process.terminate()
        process.wait(15)
    assert "Traceback" not in log.read_text(), log.read_text()[-4000:]


def _await(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + 60
    while time.monotonic() < end:
        if process.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except urllib.error.HTTPError as refused:
            refused.close()
        except OSError:
            pass
        time.sleep(0.1)
    raise AssertionError(f"the dashboard did not start: {log.read_text()[-2000:]}")


def person(
    plane: ControlPlane,
    namespace: str,
    name: str,
    *,
    reads: bool,
    writes: bool,
    approves: str | None = None,
) -> str:
    """Creates an account with rights in this namespace only; returns its token. `approves` is the
    gate about which it may decide."""
    plane.kubectl("-n", namespace, "create", "serviceaccount", name)
    rules = []
    if reads:
        rules += [
            {"apiGroups": ["canarium.dev"], "resources": ["*"], "verbs": _READ},
            {
                "apiGroups": ["", "apps", "autoscaling"],
                "resources": [
                    "pods", "services", "events", "deployments", "controllerrevisions",
                    "horizontalpodautoscalers",
                ],
                "verbs": _READ,
            },
        ]  # fmt: skip
    if writes:
        resources = ["modeldeployments"]
        rules.append({"apiGroups": ["canarium.dev"], "resources": resources, "verbs": ["patch"]})
    if approves:
        resources = [f"modeldeployments/{approves}"]
        rules.append({"apiGroups": ["canarium.dev"], "resources": resources, "verbs": ["approve"]})
    kind = "rbac.authorization.k8s.io/v1"
    role = {"apiVersion": kind, "kind": "Role", "metadata": {"name": name}, "rules": rules}
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
    subject = {"kind": "ServiceAccount", "name": name, "namespace": namespace}
    binding = {
        "apiVersion": kind,
        "kind": "RoleBinding",
        "metadata": {"name": name},
        "roleRef": reference,
        "subjects": [subject],
    }
    bodies = {"apiVersion": "v1", "kind": "List", "items": [role, binding]}
    plane.kubectl("-n", namespace, "apply", "-f", "-", stdin=json.dumps(bodies))
    return plane.kubectl("-n", namespace, "create", "token", name, "--duration=1h").strip()
