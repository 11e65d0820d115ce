"""An API server that is slow, fails, or resets connections: a proxy before it does so to writes.

The throughput is compared with the lower of two marks, both through the same proxy: a client that
sends each failed write once more, at once, and the operator itself where no write fails. A write
that fails never reaches the API server.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from aiohttp import web

from bench.cluster.account import account
from bench.cluster.fresh import Cluster, cluster
from bench.driver import CONNECTIONS
from bench.phases.backlog import alone, optimal
from sandbox.fault_proxy import Fault, Proxy, Refusal, Reset, Slow, is_write

#: Of so many writes, one fails; seconds that each write waits where all are slow.
_EVERY, _LATE = 4, 0.2
FAULTS: dict[str, tuple[Fault, int]] = {
    "slow": (Slow(_LATE), 1),
    "503": (Refusal(503, "ServiceUnavailable"), _EVERY),
    "reset": (Reset(), _EVERY),
}
#: Models in the backlog.
MODELS = 200


@dataclass(frozen=True, slots=True)
class Faulty:
    """Writes per second that the server admitted."""

    optimal: float
    #: By the operator, where no write fails.
    unharmed: float
    ours: float
    #: How many writes of the operator were harmed.
    harmed: int

    @property
    def share(self) -> float:
        return self.ours / min(self.optimal, self.unharmed)


async def faulty(name: str, nodes: int, patience: float) -> dict[str, Faulty]:
    """For each of FAULTS, both marks and the operator, each with a fresh server and backlog."""
    async with _before(f"{name}-sound", nodes) as (fresh, _):
        unharmed = (await alone(fresh, MODELS, patience)).rate
    figures = {}
    for fault in FAULTS:
        async with _before(f"{name}-{fault}-floor", nodes, fault) as (fresh, _):
            best = await optimal(fresh, MODELS, CONNECTIONS)
        async with _before(f"{name}-{fault}", nodes, fault) as (fresh, proxy):
            ours = await alone(fresh, MODELS, patience)
        figures[fault] = Faulty(best, unharmed, ours.rate, proxy.harmed)
    return figures


@asynccontextmanager
async def _before(
    name: str, nodes: int, fault: str | None = None
) -> AsyncIterator[tuple[Cluster, Proxy]]:
    """A cluster whose contenders reach the API server through a proxy."""
    async with cluster(name, nodes) as fresh:
        copy = fresh.sandbox.folder / "proxied.kubeconfig"
        async with Proxy().before(await account(fresh), copy) as proxy:
            if fault:
                proxy.rule = rule(*FAULTS[fault])
            yield replace(fresh, account=copy), proxy


def rule(fault: Fault, every: int) -> Callable[[web.Request], Fault]:
    """Returns what does `fault` to every write of that number."""
    writes = itertools.count(1)

    def harmed(request: web.Request) -> Fault:
        return fault if is_write(request) and next(writes) % every == 0 else None

    return harmed
