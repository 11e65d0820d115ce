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
    import json
    import os
    import subprocess

    from sandbox import golang
    from sandbox.progress import Progress

    tool = PEERS[name]
    folder = tool.root / tool.folder
    done = subprocess.run(
        [golang.go(folder, Progress()), "mod", "download", "-json", tool.module],
        cwd=folder,
        env={**os.environ, "GOFLAGS": "-mod=readonly", "GOTOOLCHAIN": "local", "GOWORK": "off"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise binaries.BuildFailed(f"{tool.module}: {done.stderr[-1000:]}")
    return Path(json.loads(done.stdout)["Dir"])
