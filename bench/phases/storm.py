"""Specs that change ten times in a row: how often does the operator decide and write?"""

from __future__ import annotations

import time

from bench.cluster.fresh import Cluster
from bench.cluster.watching import Key, Watching
from bench.contenders.canarium import Canarium, reconciles
from bench.driver import many
from bench.measure import Measured, measuring

CHANGES = 10


async def storm(
    cluster: Cluster, operator: Canarium, keys: list[Key], watching: Watching, patience: float
) -> Measured:
    """Ten changes per object, each a second long at most, that need no new revision."""

    async def patch(key: Key) -> None:
        for change in range(CHANGES):
            body = {"spec": {"revisionHistoryLimit": 20 + change}}
            await cluster.client.merge(operator.path(key), body)

    def done(body: dict) -> bool:  # type: ignore[type-arg]
        observed = body.get("status", {}).get("observedGeneration")
        last = body["spec"].get("revisionHistoryLimit") == 20 + CHANGES - 1
        return bool(last and observed == body["metadata"]["generation"])

    before = reconciles(await operator.metrics())
    async with measuring(cluster, operator, "storm", len(keys)) as meter:
        watching.expect(keys, done)
        await many(keys, patch)
        meter.result.figures["driver s"] = time.time() - meter.began
        seen = await watching.all_seen(patience)
        meter.took(max(seen.values()))
        await cluster.quiet(operator.agents)
    after = reconciles(await operator.metrics())
    meter.result.figures["changes per object"] = CHANGES
    meter.result.figures["reconciles per object"] = (after - before) / len(keys)
    return meter.result
