"""A process that starts, lists what the operator lists, and ends: the floor of a restart."""

from __future__ import annotations

import asyncio
import importlib
import os
import sys
import time
from pathlib import Path

from bench.cluster.client import Client

_ROOT = Path(__file__).parents[2]
_OURS = "?labelSelector=canarium.dev%2Fmodel&resourceVersion=0"
#: Collections of the objects that a model and its children consist of.
COLLECTIONS = (
    "/apis/canarium.dev/v1alpha1/modeldeployments?resourceVersion=0",
    f"/apis/apps/v1/deployments{_OURS}",
    f"/apis/apps/v1/controllerrevisions{_OURS}",
    f"/api/v1/services{_OURS}",
    f"/api/v1/pods{_OURS}",
    f"/apis/discovery.k8s.io/v1/endpointslices{_OURS}",
)


async def listed(python: str, kubeconfig: Path) -> float:
    """Seconds of one process of `python`, its start included. Raises RuntimeError if it fails."""
    began = time.monotonic()
    process = await asyncio.create_subprocess_exec(
        *(python, "-m", "bench.floors.listing", str(kubeconfig)),
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        stderr=asyncio.subprocess.PIPE,
    )
    _, output = await process.communicate()
    if process.returncode:
        raise RuntimeError(f"the lists failed: {output.decode()}")
    return time.monotonic() - began


async def _list(kubeconfig: Path) -> None:
    # Any operator of this kind imports the framework.
    importlib.import_module("kopf")
    async with Client.connect(kubeconfig, "bench-floor", len(COLLECTIONS)) as client:
        await asyncio.gather(*map(client.get, COLLECTIONS))


if __name__ == "__main__":
    asyncio.run(_list(Path(sys.argv[1])))
