"""An API server with few seats, priority and fairness off: beyond these it answers 429.

The throughput is compared with the lower of two marks: a client that sends exactly as many
requests at a time as the server has seats, and the operator itself where nothing is refused. What
an administrator sends is never refused, so all of them are a ServiceAccount.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace

from bench.cluster.audit import Call
from bench.cluster.client import Client, Refused
from bench.cluster.fresh import Cluster, cluster
from bench.cluster.watching import Watching
from bench.contenders.canarium import Canarium
from bench.driver import keys_of, many
from bench.floors.creation import written
from bench.measure import measuring

SEATS = 4
#: Models in the backlog: with fewer, the last request's wait of a second is what is measured.
MODELS = 500
_AGAIN = 0.02
#: The operator's own limit must not be what is measured.
_UNLIMITED = ("--qps", "10000", "--burst", "10000")
_GROUP = "rbac.authorization.k8s.io"


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
        await Canarium().install(fresh)
        with _controllers_stopped(fresh):
            optimal = await _optimal(fresh, MODELS)
    async with _few_seats(f"{name}-seats-many", nodes, seats=1000) as fresh:
        unrefused, _ = await _alone(fresh, MODELS, patience)
    async with _few_seats(f"{name}-seats-alone", nodes) as fresh:
        ours, refused = await _alone(fresh, MODELS, patience)
    async with _few_seats(f"{name}-seats", nodes) as fresh:
        wall = await _beside(fresh, n, patience)
    return Throttled(optimal, unrefused, ours, refused, wall)


async def _optimal(fresh: Cluster, n: int) -> float:
    fresh.audit.mark()
    model = Canarium()
    async with Client.connect(fresh.kubeconfig, "bench-floor", SEATS) as client:
        patient = _Patient(client)
        await many(keys_of(n), lambda key: written(patient, model, key), SEATS)
    await asyncio.sleep(0.2)  # The audit log's last lines are on their way.
    calls = await asyncio.to_thread(fresh.audit.calls)
    sent = [call for call in calls if call.agent == "bench-floor" and _admitted(call)]
    return _rate(sent)


async def _alone(fresh: Cluster, n: int, patience: float) -> tuple[float, float]:
    """The rate of admitted writes until all Deployments exist, and the share of refused ones."""
    operator = Canarium("canarium, few seats", settings=_UNLIMITED)
    await operator.install(fresh)
    for key in keys_of(n):
        await _post(fresh, operator, key)
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
    return _rate([c for c in busy if _admitted(c)]), sum(c.code == 429 for c in busy) / len(busy)


async def _beside(fresh: Cluster, n: int, patience: float) -> float:
    """Seconds until all are Ready."""
    operator = Canarium("canarium, few seats", settings=_UNLIMITED)
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


async def _post(fresh: Cluster, operator: Canarium, key: tuple[str, str]) -> None:
    await fresh.client.post(*operator.created(key))


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
    """Sends what was refused once more, at once: it never has more in flight than are seats."""

    def __init__(self, client: Client) -> None:
        super().__init__(client.session, client.server)

    async def send(self, *request: object, **more: object) -> dict[str, object]:
        while True:
            try:
                return await super().send(*request, **more)  # type: ignore[arg-type]
            except Refused as refused:
                if refused.code != 429:
                    raise
            await asyncio.sleep(_AGAIN)


@asynccontextmanager
async def _few_seats(name: str, nodes: int, seats: int = SEATS) -> AsyncIterator[Cluster]:
    flags = (
        "--enable-priority-and-fairness=false",
        f"--max-mutating-requests-inflight={seats}",
        f"--max-requests-inflight={3 * seats}",
    )
    async with cluster(name, nodes, apiserver=flags) as fresh:
        account = {"metadata": {"name": "bench", "namespace": "default"}}
        await fresh.client.post("/api/v1/namespaces/default/serviceaccounts", account)
        binding = {
            "metadata": {"name": "bench"},
            "roleRef": {"apiGroup": _GROUP, "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", **account["metadata"]}],
        }
        await fresh.client.post(f"/apis/{_GROUP}/v1/clusterrolebindings", binding)
        where = "/api/v1/namespaces/default/serviceaccounts/bench/token"
        token = (await fresh.client.post(where, {"spec": {}}))["status"]["token"]
        config = json.loads(await asyncio.to_thread(fresh.sandbox.kubeconfig.read_text))
        config["users"][0]["user"] = {"token": token}
        path = fresh.sandbox.folder / "bench.kubeconfig"
        await asyncio.to_thread(path.write_text, json.dumps(config))
        yield replace(fresh, account=path)
