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
_POD = "0f9e4a52-6d1c-4c6e-9d53-7a1f0c2b8e11"
#: The lists are read so often; the shortest counts.
_LISTS = 3
KILLED = "SIGKILL and restart in the pod"
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


async def killed_in_its_pod(
    cluster: Cluster, operator: Canarium, n: int
) -> tuple[Measured, Canarium]:
    """From the kill of the leader, whose container the kubelet restarts in the same pod, until the
    new process has reconciled every object; and that process."""
    operator.stop()
    leader = Canarium("canarium-killed", operator.pause, pod=_POD)
    await leader.start(cluster)
    await leader.reconciled(n, _PATIENCE)
    restarted = Canarium("canarium-restarted", operator.pause, pod=_POD)
    async with measuring(cluster, restarted, KILLED, n, sampled=False) as meter:
        leader.stop(signal.SIGKILL)
        meter.began = time.time()
        restarted.spawn(cluster)
        led = await restarted.leading(_PATIENCE)
        meter.result.figures["leading after s"] = led - meter.began
        meter.took(await restarted.reconciled(n, _PATIENCE))
    return meter.result, restarted
