"""`python -m bench.notifications`: the same rollout and rollback without a sink, and with sinks
that answer at once, after ten seconds, never, or with an error, or that do not listen.

A real API server, operators and notifiers, with pods that only report. Every sink has a model, a
namespace and a notifier, all of which run all the time; the rounds take the namespaces in a random
order. In the end all sinks accept, and what they have is compared with what the status recorded. It
exits with 1 if a notification was lost or out of order, if the median ratio of rollouts is above
the limit, or if the median rollback takes 0.1 s longer than without a sink.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import tempfile
from pathlib import Path

from bench.attack import pods
from bench.notifications.cluster import Bench, Stalled
from bench.notifications.measuring import Figures, faults, measured, table
from canarium.kube.http import Client
from sandbox.controlplane import ControlPlane

_ROOT = Path(__file__).parents[2]


async def _run(folder: Path, rounds: int) -> Figures:
    manager = ("--controllers=-node-lifecycle-controller",)
    plane = ControlPlane(folder / "plane", audit=None, extra={"controller-manager": manager})
    try:
        plane.up()
        plane.kubectl("apply", "--server-side", "-f", str(_ROOT / "crds"))
        plane.api.await_definitions()
        async with (
            Client.connect(str(plane.kubeconfig)) as client,
            Client.connect(str(plane.kubeconfig)) as busy,
            pods.kubelet(busy),
        ):
            return await measured(Bench(client, plane.kubeconfig, folder), rounds)
    finally:
        plane.down()


def main() -> int:
    """0: nothing was lost, and no sink has delayed anything."""
    parser = argparse.ArgumentParser(prog="python -m bench.notifications", description=__doc__)
    parser.add_argument(
        "--rounds", type=int, default=10, help="rollouts and rollbacks of each model"
    )
    parser.add_argument("--most", type=float, default=1.25, help="highest ratio of rollouts")
    words = parser.parse_args()
    print(f"load {os.getloadavg()[0]:.1f}", flush=True)
    with tempfile.TemporaryDirectory(prefix="notifications-") as folder:
        try:
            figures = asyncio.run(_run(Path(folder), words.rounds))
        except Stalled as stalled:
            print(f"notifications: {stalled}", file=sys.stderr)
            return 1
    print(*table(figures), sep="\n")
    wrong = list(faults(figures, words.most))
    for line in wrong:
        print(f"notifications: {line}", file=sys.stderr)
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
