"""The command line beside many models: how long a person waits for an answer."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from pathlib import Path

from bench.cluster.fresh import Cluster
from bench.cluster.watching import Key
from bench.contenders.contender import Contender
from bench.measure import Measured, measuring
from bench.stats import spread
from sandbox import clients

#: So often each command is run; the first run reads the files of the program from disk.
_RUNS = 11
_LISTS = 4
#: Arguments of the interpreter that run the command line.
PROGRAM = ("-m", "canarium_cli.main")


async def commandline(
    cluster: Cluster, contender: Contender, keys: list[Key], runs: int = _RUNS
) -> Measured:
    """`--help`, which asks no cluster, `get` of models across the namespaces, and `list -A`.

    Each run of `--help` follows one of the bare interpreter, so that their difference is what the
    program itself imports, also where the machine is busy.
    """
    async with measuring(cluster, contender, "cli", len(keys), sampled=False) as meter:
        chosen = [keys[place * len(keys) // runs] for place in range(runs)]
        bare, helped = [], []
        for _ in range(runs):
            bare.append(await timed(cluster.kubeconfig, "-c", "pass"))
            helped.append(await timed(cluster.kubeconfig, *PROGRAM, "--help"))
        shown = [
            await timed(cluster.kubeconfig, *PROGRAM, "get", name, "--namespace", namespace)
            for namespace, name in chosen
        ]
        listed = [
            await timed(cluster.kubeconfig, *PROGRAM, "list", "--all-namespaces")
            for _ in range(_LISTS)
        ]
        meter.took()
    imports = [max(0.0, whole - start) for whole, start in zip(helped, bare, strict=True)]
    meter.result.latencies |= {
        "help": spread(helped[1:]),
        "imports": spread(imports[1:]),
        "get": spread(shown[1:]),
        "list": spread(listed[1:]),
    }
    return meter.result


async def timed(kubeconfig: Path, *words: str) -> float:
    """Runs the interpreter once and returns its seconds. Raises RuntimeError if it fails."""
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *words),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
        env=environment(kubeconfig),
    )
    _, output = await process.communicate()
    took = time.perf_counter() - began
    if process.returncode:
        raise RuntimeError(f"{' '.join(words)}: {output.decode()}")
    return took


def environment(kubeconfig: Path) -> dict[str, str]:
    """The environment in which the command line uses a kubeconfig."""
    kubectl = str(clients.find("kubectl"))
    return {**os.environ, "KUBECONFIG": str(kubeconfig), "KUBECTL": kubectl}
