"""Nothing changes: what does an operator do then?"""

from __future__ import annotations

import asyncio

from bench.cluster.fresh import Cluster
from bench.contenders.contender import Contender
from bench.measure import Measured, measuring


async def idle(cluster: Cluster, contender: Contender, n: int, seconds: float) -> Measured:
    """Measures `seconds` of a steady state, once the cluster is idle too; the operator's metrics
    are not scraped meanwhile."""
    await cluster.quiet(patience=60 + n / 50)
    await contender.gauges()  # The largest lag counts from here.
    async with measuring(cluster, contender, "idle", n, sampled=False) as meter:
        await asyncio.sleep(seconds)
        meter.took()
    meter.result.figures.update(await contender.gauges())
    return meter.result
