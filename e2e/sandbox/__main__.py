"""`python -m sandbox up | down | status | env | kubectl …`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

from sandbox import binaries
from sandbox.controlplane import ControlPlane

PARTS = ("etcd", "apiserver", "controller-manager")


def folder(name: str) -> Path:
    """Where the sandbox `name` keeps its state."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "canarium" / name


def main() -> int:
    """Carries out one command; the exit code."""
    parser = argparse.ArgumentParser(prog="sandbox", description=__doc__)
    parser.add_argument("--name", default=os.environ.get("CANARIUM_SANDBOX", "canarium"))
    commands = parser.add_subparsers(dest="command", required=True)
    for command in ("up", "down", "status", "env"):
        commands.add_parser(command)
    commands.add_parser("kubectl").add_argument("rest", nargs=argparse.REMAINDER)
    arguments = parser.parse_args()
    plane = ControlPlane(folder(arguments.name))
    if arguments.command == "up":
        began = time.monotonic()
        plane.up()
        print(f"sandbox {arguments.name}: control plane up in {time.monotonic() - began:.1f} s")
    elif arguments.command == "down":
        plane.down()
    elif arguments.command == "env":
        print(f"export KUBECONFIG={plane.kubeconfig}")
    elif arguments.command == "status":
        for part in PARTS:
            known = plane.process(part)
            print(f"{part}: {'up' if known and known.alive else 'down'}")
    else:
        kubectl = str(binaries.find("kubectl"))
        os.execv(kubectl, [kubectl, "--kubeconfig", str(plane.kubeconfig), *arguments.rest])
    return 0


if __name__ == "__main__":
    sys.exit(main())
