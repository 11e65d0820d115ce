"""The command line: `python -m bench.attack`.

All of it runs in a separate network namespace, whose loopback has an address that the API server
takes for a pod's.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import shlex
import sys
import tempfile
from functools import partial
from pathlib import Path

from bench.attack.attack import Attack, quantile
from bench.attack.server import ADDRESS
from canarium.kube.http import Client
from sandbox.controlplane import ControlPlane

_ROOT = Path(__file__).parents[2]
#: MiB of operator and workers.
MEMORY = 400.0


async def _run(
    folder: Path, namespaces: int, models: int, rounds: int, crowd: int, p99: float
) -> bool:
    manager = ("--controllers=-node-lifecycle-controller",)
    plane = ControlPlane(folder / "plane", audit=None, extra={"controller-manager": manager})
    try:
        plane.up()
        plane.kubectl("apply", "--server-side", "-f", str(_ROOT / "crds"))
        plane.api.await_definitions()
        connect = partial(Client.connect, str(plane.kubeconfig))
        async with connect() as client, connect() as busy:
            attack = Attack(client, busy, plane.kubeconfig, folder)
            async with attack.running():
                print("alone:       ", await attack.measured(models, 1), flush=True)
                await attack.begin(namespaces, crowd)
                figures = await attack.measured(models, rounds)
                print("under attack:", figures, flush=True)
    finally:
        plane.down()
    return quantile(figures.crashes, 0.99) < p99 and figures.memory.total < MEMORY


def _enter() -> None:
    """Replaces this process by itself in a new network namespace."""
    rights = [] if os.geteuid() == 0 else ["--map-root-user"]
    network = f"ip link set lo up && ip address add {ADDRESS}/32 dev lo"
    again = shlex.join([sys.executable, "-m", "bench.attack", "--inside", *sys.argv[1:]])
    os.execvp("unshare", ["unshare", "--net", *rights, "sh", "-c", f"{network} && exec {again}"])


def main() -> int:
    """0: the good namespace's rollbacks and the memory stayed within their budgets."""
    parser = argparse.ArgumentParser(prog="python -m bench.attack", description=__doc__)
    parser.add_argument("--namespaces", type=int, default=10, help="hostile namespaces")
    parser.add_argument("--models", type=int, default=10, help="models of the good namespace")
    parser.add_argument("--rounds", type=int, default=5, help="rollbacks of each of them")
    parser.add_argument("--crowd", type=int, default=100, help="hostile models that fail at once")
    parser.add_argument(
        "--p99", type=float, default=1.0, help="most seconds from a failure until traffic is off"
    )
    parser.add_argument("--inside", action="store_true", help=argparse.SUPPRESS)
    words = parser.parse_args()
    if not words.inside:
        _enter()
    size = (words.namespaces, words.models, words.rounds, words.crowd, words.p99)
    with tempfile.TemporaryDirectory(prefix="attack-") as folder:
        return int(not asyncio.run(_run(Path(folder), *size)))


if __name__ == "__main__":
    sys.exit(main())
