"""A control plane on the host's loopback with nodes that kwok simulates. Needs no root."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sandbox import binaries, flags
from sandbox.api import until
from sandbox.controlplane import ControlPlane
from sandbox.progress import Progress

_STAGES = Path(__file__).parent / "stages.yaml"


@dataclass
class Simulated:
    """Pods get scheduled and become Running and Ready; no container runs and no traffic flows."""

    folder: Path
    nodes: int = 1
    audit: str | None = "Metadata"
    extra: Mapping[str, Sequence[str]] = field(default_factory=dict)
    progress: Progress = field(default_factory=Progress)

    @property
    def plane(self) -> ControlPlane:
        return ControlPlane(
            self.folder,
            scheduler=True,
            audit=self.audit,
            extra=self.extra,
            progress=self.progress,
        )

    def up(self) -> None:
        """Starts what is not running; all nodes are Ready at the end. Raises PartFailed."""
        kwok = binaries.find("kwok", self.progress)
        plane = self.plane
        plane.up()
        part = plane.part("kwok")
        kubeconfig = self.folder / "kwok.kubeconfig"
        words: list[str | Path] = [kwok, "--kubeconfig", kubeconfig, "--config", _STAGES]
        words += ["--manage-all-nodes", "--cidr", flags.PODS, "--node-ip", "10.10.0.1"]
        # Without leases the node controller would call the nodes lost.
        words += ["--node-lease-duration-seconds", "40"]
        part.start([*words, *self.extra.get("kwok", ())])
        names = [f"{self.folder.name}-node-{number}" for number in range(self.nodes)]
        for name in names:
            plane.api.create("/api/v1/nodes", simulated_node(name))
        until(lambda: all(self._ready(name) for name in names), part, "Ready nodes")

    def down(self) -> None:
        """Ends what was started and removes the folder."""
        self.plane.down()

    def _ready(self, name: str) -> bool:
        node = self.plane.api.get(f"/api/v1/nodes/{name}")
        conditions = node["status"].get("conditions", []) if node else []
        return any(c["type"] == "Ready" and c["status"] == "True" for c in conditions)


def simulated_node(name: str) -> dict[str, Any]:
    """A Node with room for 1,000 pods; kwok fills its conditions."""
    room = {"cpu": "256", "memory": "1Ti", "pods": "1000"}
    return {
        "metadata": {
            "name": name,
            "labels": {"kubernetes.io/hostname": name, "kubernetes.io/os": "linux", "type": "kwok"},
        },
        "status": {"allocatable": room, "capacity": room},
    }
