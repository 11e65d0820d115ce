"""The pod that connections go out from, and the process on this machine that leads to it."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox import forwarding, images
from sandbox.api import until
from sandbox.forwarding import NoWay
from sandbox.parts import Part

NAMESPACE = "canarium-relay"
_NAME = "relay"
_END = Path(__file__).with_name("end.py")


@dataclass(frozen=True)
class Relay:
    """Ways to addresses in the cluster of `kubectl` (a command with its kubeconfig).

    State and log are in `folder`; `load` makes the images of an archive available to the nodes.
    """

    folder: Path
    kubectl: Sequence[str]
    load: Callable[[Path], None]

    @property
    def part(self) -> Part:
        return Part(self.folder, _NAME)

    def forward(self, target: str) -> forwarding.Forward:
        """A port of the host's loopback that leads to `host:port` in the cluster.

        The first call starts the pod. Raises NoWay, PartFailed.
        """
        control = self.folder / "relay.sock"
        if not self.part.alive:
            control.unlink(missing_ok=True)
            self._namespace_marker.touch()
            self._make_pod()
            python = ["python3", "-I", "/app/end.py"]
            exec_ = [*self.kubectl, "-n", NAMESPACE, "exec", "-i", _NAME, "--", *python]
            self.part.start([sys.executable, "-m", "sandbox.relay.outer", control, *exec_])
            until(control.exists, self.part, "an answer from its pod", patience=60)
        return forwarding.by_socket(control, target)

    @property
    def _namespace_marker(self) -> Path:
        """Exists from the moment at which the namespace may exist."""
        return self.folder / "relay.namespace"

    def down(self) -> None:
        """Ends the process and deletes the namespace, if they were started. Raises NoWay."""
        if self.part.process is not None:
            self.part.kill()
        if self._namespace_marker.exists():
            self._run("delete", "namespace", NAMESPACE, "--ignore-not-found", "--timeout=60s")
            self._namespace_marker.unlink()

    def _make_pod(self) -> None:
        image = images.Image(
            "canarium.dev/relay:1", [images.python_base(), images.files({"/app/end.py": _END})]
        )
        with tempfile.TemporaryDirectory() as scratch:
            self.load(images.write_archive(Path(scratch, "relay.tar"), [image]))
        body = {"apiVersion": "v1", "kind": "List", "items": manifests(image.tag)}
        self._run("apply", "-f", "-", stdin=json.dumps(body))
        self._run(
            "-n", NAMESPACE, "wait", f"pod/{_NAME}", "--for=condition=Ready", "--timeout=120s"
        )

    def _run(self, *words: str, stdin: str | None = None) -> None:
        done = subprocess.run(
            [*self.kubectl, *words], input=stdin, capture_output=True, text=True, check=False
        )
        if done.returncode:
            raise NoWay(f"the relay's pod: kubectl {' '.join(words)}\n{done.stderr[-2000:]}")


def manifests(image: str) -> list[dict[str, Any]]:
    """The namespace and the pod, which has no rights."""
    restricted = {
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
        "runAsNonRoot": True,
        "runAsUser": 65532,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    container = {
        "name": _NAME,
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sleep", "infinity"],
        "securityContext": restricted,
    }
    return [
        {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": NAMESPACE}},
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": _NAME, "namespace": NAMESPACE},
            "spec": {
                "automountServiceAccountToken": False,
                # A test may cordon every node.
                "tolerations": [{"operator": "Exists"}],
                "terminationGracePeriodSeconds": 0,
                "containers": [container],
            },
        },
    ]
