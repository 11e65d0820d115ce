"""A backlog of models that are created while nothing else writes: by a client that would be optimal
there, and by the operator alone.

Both are judged by the writes per second that the API server admitted, from its audit log.
"""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import aiohttp

from bench.cluster.audit import Call
from bench.cluster.client import Client, Refused
from bench.cluster.fresh import Cluster
from bench.contenders.canarium import Canarium
from bench.driver import keys_of, many
from bench.floors.creation import written

#: The operator's own limit must not be what is measured.
UNLIMITED = ("--qps", "10000", "--burst", "10000")
_AGAIN = 0.02


@dataclass(frozen=True, slots=True)
class Progress:
    """Writes per second that the server admitted, and the share of all that it refused (429)."""

    rate: float
    refused: float = 0.0


async def optimal(fresh: Cluster, n: int, connections: int) -> float:
    """Writes per second of a client with `connections` requests at a time, which sends what failed
    once more, at once."""
    await Canarium().install(fresh)
    fresh.audit.mark()
    model = Canarium()
    async with Client.connect(fresh.kubeconfig, "bench-floor", connections) as client:
        patient = _Patient(client)
        with _controllers_stopped(fresh):
            await many(keys_of(n), lambda key: written(patient, model, key), connections)
    await asyncio.sleep(0.2)  # The audit log's last lines are on their way.
    calls = await asyncio.to_thread(fresh.audit.calls)
    return _rate([call for call in calls if call.agent == "bench-floor" and _admitted(call)])


async def alone(fresh: Cluster, n: int, patience: float) -> Progress:
    """The operator's, until all Deployments exist. Raises TimeoutError after `patience` seconds."""
    operator = Canarium("canarium, backlog", settings=UNLIMITED)
    await operator.install(fresh)
    for key in keys_of(n):
        await fresh.client.post(*operator.created(key))
    fresh.audit.mark()
    with _controllers_stopped(fresh):
        await operator.start(fresh)
        try:
            await _all_created(fresh, n, patience)
        finally:
            operator.stop()
    calls = await asyncio.to_thread(fresh.audit.calls)
    ours = [c for c in calls if c.agent in operator.agents and _changes(c)]
    # After that only status is left to be written, and pods are waited for.
    last = max(c.answered for c in ours if _created(c))
    busy = [c for c in ours if c.answered <= last]
    refused = sum(c.code == 429 for c in busy) / len(busy)
    return Progress(_rate([c for c in busy if _admitted(c)]), refused)


@contextmanager
def _controllers_stopped(fresh: Cluster) -> Iterator[None]:
    """Suspends controllers, the scheduler and kubelets, so that only the contender writes."""
    pids = [pid for name, pid in fresh.pids().items() if name not in ("etcd", "apiserver")]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in pids:
            os.kill(pid, signal.SIGCONT)


async def _all_created(fresh: Cluster, n: int, patience: float) -> None:
    """Waits for `n` Deployments. Raises TimeoutError."""
    loop = asyncio.get_running_loop()
    until = loop.time() + patience
    while await _deployments(fresh) < n:
        if loop.time() > until:
            raise TimeoutError(f"fewer than {n} Deployments after {patience:.0f} s")
        await asyncio.sleep(0.1)


async def _deployments(fresh: Cluster) -> int:
    page = await fresh.client.get("/apis/apps/v1/deployments?limit=1")
    return len(page["items"]) + int(page["metadata"].get("remainingItemCount") or 0)


def _changes(call: Call) -> bool:
    """Writes and dry runs: both take a seat."""
    return (call.writes or call.verb.startswith("dry-run")) and call.resource != "leases"


def _created(call: Call) -> bool:
    return (call.verb, call.resource, call.code) == ("create", "deployments", 201)


def _admitted(call: Call) -> bool:
    return _changes(call) and call.code < 400


def _rate(calls: list[Call]) -> float:
    """Calls per second after the first one, for which the server builds the resource's handlers."""
    answered = sorted(call.answered for call in calls)
    return (len(calls) - 1) / (answered[-1] - answered[0])


class _Patient(Client):
    """Sends what was refused or lost once more, at once."""

    def __init__(self, client: Client) -> None:
        super().__init__(client.session, client.server)

    async def send(self, *request: object, **more: object) -> dict[str, object]:
        while True:
            try:
                return await super().send(*request, **more)  # type: ignore[arg-type]
            except Refused as refused:
                if refused.code != 429 and refused.code < 500:
                    raise
            except aiohttp.ClientConnectionError:
                pass
            await asyncio.sleep(_AGAIN)
