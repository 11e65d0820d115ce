"""An API server with few seats, priority and fairness off: beyond these it answers 429.

The mark is a client that sends exactly as many requests at a time as the server has seats. What
an administrator sends is never refused there, so both are a ServiceAccount.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from bench.cluster.audit import Call
from bench.cluster.client import Client, Refused
from bench.cluster.fresh import Cluster, cluster
from bench.cluster.watching import Watching
from bench.contenders.canarium import Canarium
from bench.contenders.floor import written
from bench.driver import keys_of, many
from bench.measure import measuring
from bench.phases.create import children

SEATS = 4
FLAGS = (
    "--enable-priority-and-fairness=false",
    f"--max-mutating-requests-inflight={SEATS}",
    "--max-requests-inflight=12",
)
_AGAIN = 0.02
_GROUP = "rbac.authorization.k8s.io"


@dataclass(frozen=True, slots=True)
class Throttled:
    """Writes per second that the server admitted, and the share of all that it refused."""

    optimal: float
    ours: float
    refused: float
    #: Seconds until all models were Ready.
    wall: float

    @property
    def share(self) -> float:
        return self.ours / self.optimal


async def throttled(name: str, n: int, nodes: int, patience: float) -> Throttled:
    """The same objects by the optimal client, and by the operator until their children exist."""
    async with _few_seats(f"{name}-seats-floor", nodes) as found:
        await Canarium().install(found)
        optimal = await _optimal(found, n)
    async with _few_seats(f"{name}-seats", nodes) as found:
        return await _ours(found, n, patience, optimal)


async def _optimal(found: Cluster, n: int) -> float:
    found.audit.mark()
    model = Canarium()
    async with Client.connect(found.kubeconfig, "bench-floor", SEATS) as client:
        patient = _Patient(client)
        await many(keys_of(n), lambda key: written(patient, model, key), SEATS)
    await asyncio.sleep(0.2)  # The audit log's last lines are on their way.
    calls = await asyncio.to_thread(found.audit.calls)
    sent = [call for call in calls if call.agent == "bench-floor" and _admitted(call)]
    return _rate(sent)


async def _ours(found: Cluster, n: int, patience: float, optimal: float) -> Throttled:
    operator = Canarium("canarium, few seats")
    keys = keys_of(n)
    await operator.install(found)
    await operator.start(found)
    try:
        async with (
            Watching.of(found.client, operator.collection) as watching,
            measuring(found, operator, "throttled", n) as meter,
        ):
            watching.expect(keys, lambda body: operator.live(body, 1))
            # One at a time: what drives the measurement takes as few seats as possible.
            await many(keys, lambda key: _post(found, operator, key), 1)
            seen = await watching.all_seen(patience)
            meter.took(max(seen.values()))
    finally:
        operator.stop()
    ours = [c for c in meter.seen if c.agent in operator.agents and _changes(c)]
    last = max(children(operator, meter).values())
    # The models themselves are among the writes of either, and took seats in the same time.
    models = [c for c in meter.seen if (c.verb, c.resource) == ("create", "modeldeployments")]
    busy = [c for c in (*ours, *models) if c.answered <= last and _admitted(c)]
    refused = sum(call.code == 429 for call in ours) / len(ours)
    return Throttled(optimal, _rate(busy), refused, meter.result.wall)


async def _post(found: Cluster, operator: Canarium, key: tuple[str, str]) -> None:
    await found.client.post(*operator.created(key))


def _changes(call: Call) -> bool:
    """Writes and dry runs: both take a seat."""
    return (call.writes or call.verb.startswith("dry-run")) and call.resource != "leases"


def _admitted(call: Call) -> bool:
    return _changes(call) and call.code < 400


def _rate(calls: list[Call]) -> float:
    return len(calls) / (max(c.answered for c in calls) - min(c.received for c in calls))


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
async def _few_seats(name: str, nodes: int) -> AsyncIterator[Cluster]:
    async with cluster(name, nodes, apiserver=FLAGS) as found:
        account = {"metadata": {"name": "bench", "namespace": "default"}}
        await found.client.post("/api/v1/namespaces/default/serviceaccounts", account)
        binding = {
            "metadata": {"name": "bench"},
            "roleRef": {"apiGroup": _GROUP, "kind": "ClusterRole", "name": "cluster-admin"},
            "subjects": [{"kind": "ServiceAccount", **account["metadata"]}],
        }
        await found.client.post(f"/apis/{_GROUP}/v1/clusterrolebindings", binding)
        where = "/api/v1/namespaces/default/serviceaccounts/bench/token"
        token = (await found.client.post(where, {"spec": {}}))["status"]["token"]
        config = json.loads(await asyncio.to_thread(found.sandbox.kubeconfig.read_text))
        config["users"][0]["user"] = {"token": token}
        path = found.sandbox.folder / "bench.kubeconfig"
        await asyncio.to_thread(path.write_text, json.dumps(config))
        yield replace(found, account=path)
