"""The peers' binaries, built from the Go modules in `bench/go` by the sandbox's own builder."""

from __future__ import annotations

from pathlib import Path

from sandbox import binaries
from sandbox.binaries import Tool

_GO = Path(__file__).parents[1] / "go"
PEERS = {
    "rollouts-controller": Tool(
        "rollouts",
        "github.com/argoproj/argo-rollouts",
        "github.com/argoproj/argo-rollouts/cmd/rollouts-controller",
        _GO,
    ),
    "flagger": Tool(
        "flagger", "github.com/fluxcd/flagger", "github.com/fluxcd/flagger/cmd/flagger", _GO
    ),
}


def find(name: str) -> Path:
    """The peer's binary, built when it is not there yet. Raises BuildFailed."""
    binaries.TOOLS.update(PEERS)
    return binaries.find(name)


def version(name: str) -> str:
    return binaries.version(PEERS[name])


def module(name: str) -> Path:
    """The folder of the peer's module in Go's cache: its CRDs are there. Raises BuildFailed."""
    binaries.TOOLS.update(PEERS)
    return binaries.source(name)
