"""An operator that restarts, and one on standby while the leader ends."""

from __future__ import annotations

import asyncio
import signal
import time

from bench.cluster.fresh import Cluster
from bench.contenders.canarium import Canarium, python
from bench.floors.listing import listed
from bench.measure import Measured, measuring

_PATIENCE = 120.0
#: The lists are read so often; the shortest counts.
_LISTS = 3
#: Seconds of a process that only lists the same objects.
LISTED = "bare lists s"


async def restart(cluster: Cluster, operator: Canarium, n: int) -> Measured:
    """Measures from the start of the new process until it has reconciled every object."""
    async with measuring(cluster, operator, "restart", n, sampled=False) as meter:
        operator.stop()
        meter.began = time.time()
        operator.spawn(cluster)
        led = await operator.leading(_PATIENCE)
        meter.result.figures["leading after s"] = led - meter.began
        meter.took(await operator.reconciled(n, _PATIENCE))
        await asyncio.sleep(3)
    times = [await listed(python(), cluster.kubeconfig) for _ in range(_LISTS)]
    meter.result.figures[LISTED] = min(times)
    return meter.result


async def failover(
    cluster: Cluster, operator: Canarium, n: int, how: signal.Signals
) -> tuple[Measured, Canarium]:
    """From the leader's end by `how` until the one that stands by leads; and that one."""
    heir = Canarium(f"canarium-{how.name.lower()}", operator.pause)
    heir.spawn(cluster)
    # It fills its cache meanwhile, about a thousand objects in a second.
    await asyncio.sleep(10 + n / 400)
    phase = f"failover by {how.name}"
    async with measuring(cluster, heir, phase, n, sampled=False) as meter:
        operator.stop(how)
        meter.began = time.time()
        meter.took(await heir.leading(_PATIENCE))
    return meter.result, heir
