"""A cluster by kind, where a Docker engine runs."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from sandbox.progress import Progress


class KindFailed(RuntimeError):
    """A kind command failed; the text ends with its output."""


@dataclass
class Kind:
    """The kind cluster `canarium-<name>`, with its kubeconfig below `folder`."""

    folder: Path
    progress: Progress = field(default_factory=Progress)

    @property
    def cluster(self) -> str:
        return f"canarium-{self.folder.name}"

    @property
    def node(self) -> str:
        """The container that is the cluster's node."""
        return f"{self.cluster}-control-plane"

    def up(self) -> None:
        """Creates the cluster unless it is there. Raises KindFailed."""
        self.folder.mkdir(parents=True, exist_ok=True)
        kubeconfig = str(self.folder / "kubeconfig")
        if self.cluster in _kind("get", "clusters").split():
            _kind("export", "kubeconfig", "--name", self.cluster, "--kubeconfig", kubeconfig)
            return
        with self.progress.step(f"kind create cluster --name {self.cluster}", long=True):
            image = ("--image", named) if (named := os.environ.get("KIND_IMAGE")) else ()
            _kind(
                "create", "cluster", "--name", self.cluster, "--kubeconfig", kubeconfig,
                "--wait", "180s", *image,
            )  # fmt: skip

    def down(self) -> None:
        """Deletes the cluster. Raises KindFailed."""
        kubeconfig = str(self.folder / "kubeconfig")
        _kind("delete", "cluster", "--name", self.cluster, "--kubeconfig", kubeconfig)

    def load(self, archive: Path) -> None:
        """Loads the images of an archive into the node. Raises KindFailed."""
        _kind("load", "image-archive", str(archive), "--name", self.cluster)


def program() -> str:
    """The kind binary: KIND_BIN, or the one on PATH."""
    return os.environ.get("KIND_BIN") or "kind"


def _kind(*words: str) -> str:
    done = subprocess.run([program(), *words], capture_output=True, text=True, check=False)
    if done.returncode:
        raise KindFailed(f"kind {' '.join(words)}\n{done.stderr[-2000:]}")
    return done.stdout
