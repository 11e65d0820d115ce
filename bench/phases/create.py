"""All objects at once: until their children exist, and until they are ready."""

from __future__ import annotations

import time

from bench.cluster.fresh import Cluster
from bench.cluster.watching import Key, Watching
from bench.contenders.contender import Contender
from bench.driver import many
from bench.measure import Measured, MeasurementMissing, Meter, measuring
from bench.stats import spread


async def create(
    cluster: Cluster, contender: Contender, keys: list[Key], watching: Watching, patience: float
) -> Measured:
    """Latencies count from when the request for an object was sent."""

    async def prepare(key: Key) -> None:
        for where, body in contender.before(key):
            await cluster.client.post(where, body)

    sent: dict[Key, float] = {}

    async def post(key: Key) -> None:
        sent[key] = time.time()
        await cluster.client.post(*contender.created(key))

    await many(keys, prepare)
    async with measuring(cluster, contender, "create", len(keys)) as meter:
        watching.expect(keys, lambda body: contender.live(body, 1))
        await many(keys, post)
        meter.result.figures["driver s"] = time.time() - meter.began
        seen = await watching.all_seen(patience)
        meter.took(max(seen.values()))
        # Later status writes and Events belong to its cost.
        await cluster.quiet(contender.agents, patience=patience)
    result = meter.result
    result.latencies["ready"] = spread(seen[key] - sent[key] for key in keys)
    times = children(contender, meter)
    if missing := set(keys) - times.keys():
        what = f"no child of {len(missing)} objects, such as {min(missing)}"
        raise MeasurementMissing(f"the audit log has {what}, by {', '.join(contender.agents)}")
    result.latencies["children"] = spread(at - sent[key] for key, at in times.items())
    result.figures["children wall s"] = max(times.values()) - meter.began
    return result


def children(contender: Contender, meter: Meter) -> dict[Key, float]:
    """When the last child of each object was made, by the audit log."""
    length = len("m-00000")
    last: dict[Key, float] = {}
    for call in meter.seen:
        theirs = call.agent in contender.agents and call.resource in contender.children
        if theirs and call.code == 201:
            key = (call.namespace, call.name[:length])
            last[key] = max(call.answered, last.get(key, 0.0))
    return last
