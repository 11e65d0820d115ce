"""Another version of all objects at once: weight 20, five seconds, then all of the traffic."""

from __future__ import annotations

import time

from bench.cluster.fresh import Cluster
from bench.cluster.watching import Key, Watching
from bench.contenders.contender import Contender
from bench.driver import many
from bench.measure import Measured, measuring
from bench.stats import spread


async def update(
    cluster: Cluster, contender: Contender, keys: list[Key], watching: Watching, patience: float
) -> Measured:
    """Measures until every object reports that version 2 is promoted."""
    sent: dict[Key, float] = {}

    async def patch(key: Key) -> None:
        sent[key] = time.time()
        await cluster.client.merge(*contender.changed(key, 2))

    async with measuring(cluster, contender, "update", len(keys)) as meter:
        watching.expect(keys, lambda body: contender.live(body, 2))
        await many(keys, patch)
        meter.result.figures["driver s"] = time.time() - meter.began
        seen = await watching.all_seen(patience)
        meter.took(max(seen.values()))
        # What is tidied up after the promotion belongs to its cost.
        await cluster.quiet(contender.agents, patience=patience)
    meter.result.latencies["promoted"] = spread(seen[key] - sent[key] for key in keys)
    return meter.result
