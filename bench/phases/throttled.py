"""An API server with few seats, priority and fairness off: beyond these it answers 429.

The throughput is compared with the lower of two marks: a client that sends exactly as many
requests at a time as the server has seats, and the operator itself where nothing is refused. What
an administrator sends is never refused, so all of them are a ServiceAccount.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from bench.cluster.account import account
from bench.cluster.fresh import Cluster, cluster
from bench.cluster.watching import Watching
from bench.contenders.canarium import Canarium
from bench.driver import keys_of, many
from bench.measure import measuring
from bench.phases.backlog import UNLIMITED, alone, optimal

SEATS = 4
#: Models in the backlog: with fewer, the last request's wait of a second is what is measured.
MODELS = 500


@dataclass(frozen=True, slots=True)
class Throttled:
    """Writes per second that the server admitted, and the share of all that it refused."""

    optimal: float
    #: By the operator, from a server that has seats for all.
    unrefused: float
    ours: float
    refused: float
    #: Seconds until all models were Ready.
    wall: float

    @property
    def share(self) -> float:
        return self.ours / min(self.optimal, self.unrefused)


async def throttled(name: str, n: int, nodes: int, patience: float) -> Throttled:
    """Both marks and the operator, each alone with a server and a backlog of MODELS; then the
    operator with `n` models beside controllers and kubelets, which are refused as well."""
    async with _few_seats(f"{name}-seats-floor", nodes) as fresh:
        best = await optimal(fresh, MODELS, SEATS)
    async with _few_seats(f"{name}-seats-many", nodes, seats=1000) as fresh:
        unrefused = await alone(fresh, MODELS, patience)
    async with _few_seats(f"{name}-seats-alone", nodes) as fresh:
        ours = await alone(fresh, MODELS, patience)
    async with _few_seats(f"{name}-seats", nodes) as fresh:
        wall = await _beside(fresh, n, patience)
    return Throttled(best, unrefused.rate, ours.rate, ours.refused, wall)


async def _beside(fresh: Cluster, n: int, patience: float) -> float:
    """Seconds until all are Ready."""
    operator = Canarium("canarium, few seats", settings=UNLIMITED)
    keys = keys_of(n)
    await operator.install(fresh)
    await operator.start(fresh)
    try:
        async with (
            Watching.of(fresh.client, operator.collection) as watching,
            measuring(fresh, operator, "throttled", n) as meter,
        ):
            watching.expect(keys, lambda body: operator.live(body, 1))
            # One at a time: what drives the measurement takes as few seats as possible.
            await many(keys, lambda key: _post(fresh, operator, key), 1)
            seen = await watching.all_seen(patience)
            meter.took(max(seen.values()))
    finally:
        operator.stop()
    return meter.result.wall


async def _post(fresh: Cluster, operator: Canarium, key: tuple[str, str]) -> None:
    await fresh.client.post(*operator.created(key))


@asynccontextmanager
async def _few_seats(name: str, nodes: int, seats: int = SEATS) -> AsyncIterator[Cluster]:
    flags = (
        "--enable-priority-and-fairness=false",
        f"--max-mutating-requests-inflight={seats}",
        f"--max-requests-inflight={3 * seats}",
    )
    async with cluster(name, nodes, apiserver=flags) as fresh:
        yield replace(fresh, account=await account(fresh))
