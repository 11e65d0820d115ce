"""Replicas of the operator around one Lease, in virtual time: their clocks differ, they are paused
and killed, and the API server is slow, unavailable, or loses answers.

Each replica decides about models of some namespaces as the engine does: a decision begins only
where the replica leads, and before each of its writes the fence is asked. At every write `World`
checks that no other replica may write in the namespace at that moment, and that no decision of
another one is under way that can still write.
"""

from __future__ import annotations

import asyncio
import copy
import random
from dataclasses import dataclass, field
from typing import Any

from canarium.kube.clock import Timing
from canarium.kube.errors import ApiError
from canarium.kube.identity import Identity
from canarium.kube.lease import Lease
from canarium.kube.shards import Shards, shard_of
from canarium.kube.shared_lease import SharedLease
from simulation.clock import EPOCH, VirtualLoop

NAMESPACES = [f"team-{number}" for number in range(6)]
Raw = dict[str, Any]


class Server:
    """An API server that stores one Lease."""

    def __init__(self, chance: random.Random) -> None:
        self.lease: Raw | None = None
        self._version = 0
        self._chance = chance
        self.up = asyncio.Event()
        self.up.set()
        #: Seconds that a request takes each way, at most; the share of answers that are lost, and
        #: of requests that arrive up to half a minute late, after others that were sent later.
        self.latency, self.losses, self.late = 0.02, 0.0, 0.0
        self.requests: list[str] = []

    async def handle(self, verb: str, body: Any) -> Raw:
        """One request. It is carried out although its client has ended or timed out meanwhile."""
        return await asyncio.shield(asyncio.ensure_future(self._handle(verb, body)))

    async def _handle(self, verb: str, body: Any) -> Raw:
        await asyncio.sleep(self._chance.uniform(0.1, 1) * self.latency)
        if self._chance.random() < self.late:
            await asyncio.sleep(self._chance.uniform(1, 30))
        await self.up.wait()
        self.requests.append(verb)
        try:
            result = getattr(self, f"_{verb}")(copy.deepcopy(body))
        except ApiError as error:
            result = error
        await asyncio.sleep(self._chance.uniform(0.1, 1) * self.latency)
        if self._chance.random() < self.losses:
            result = ApiError(0, "Lost", "no answer")
        if isinstance(result, ApiError):
            raise result
        return copy.deepcopy(result)

    def _get(self, body: Any) -> Raw:
        if self.lease is None:
            raise ApiError(404, "NotFound", "there is none")
        return self.lease

    def _create(self, body: Raw) -> Raw:
        if self.lease is not None:
            raise ApiError(409, "AlreadyExists", "there is one")
        return self._store(body)

    def _replace(self, body: Raw) -> Raw:
        if self._get(None)["metadata"]["resourceVersion"] != body["metadata"]["resourceVersion"]:
            raise ApiError(409, "Conflict", "it has changed")
        return self._store(body)

    def _json_patch(self, operations: list[Raw]) -> Raw:
        lease = copy.deepcopy(self._get(None))
        for one in operations:
            *parents, last = [
                part.replace("~1", "/").replace("~0", "~") for part in one["path"].split("/")[1:]
            ]
            place = lease
            for part in parents:
                place = place[part]
            if last not in place or (one["op"] == "test" and place[last] != one["value"]):
                raise ApiError(422, "Invalid", f"{one['op']} {one['path']}")
            place[last] = one["value"]
        return self._store(lease)

    def _store(self, lease: Raw) -> Raw:
        self._version += 1
        lease["metadata"]["resourceVersion"] = str(self._version)
        self.lease = lease
        return lease


class Connection:
    """A replica's client: while the replica is paused it notices no answer."""

    def __init__(self, server: Server, awake: asyncio.Event) -> None:
        self._server, self._awake = server, awake

    async def get(self, *where: Any) -> Raw:
        return await self._send("get", None)

    async def create(self, resource: Any, namespace: str, body: Raw) -> Raw:
        return await self._send("create", body)

    async def replace(self, resource: Any, namespace: str, name: str, body: Raw) -> Raw:
        return await self._send("replace", body)

    async def request(self, method: str, path: str, body: Any, **options: str) -> Raw:
        assert (method, options["content_type"]) == ("PATCH", "application/json-patch+json")
        return await self._send("json_patch", body)

    async def _send(self, verb: str, body: Any) -> Raw:
        await self._awake.wait()
        try:
            return await self._server.handle(verb, body)
        finally:
            await self._awake.wait()


@dataclass(eq=False)
class Replica:
    """A process; `count` 1 has a Lease that is not shared, as without shards."""

    world: World
    name: str
    count: int
    skew: float
    pace: float
    awake: asyncio.Event = field(default_factory=asyncio.Event)
    alive: bool = True
    writes: int = 0
    deciding: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        self.awake.set()
        loop = self.world.loop
        timing = Timing(
            now=lambda: EPOCH + self.skew + loop.time() * self.pace,
            clock=lambda: self.skew + loop.time() * self.pace,
            sleep=self._sleep,
        )
        client: Any = Connection(self.world.server, self.awake)
        where = (client, "ns", "canarium", Identity(self.name))
        self.lease: Lease | SharedLease
        if self.count == 1:
            self.lease = Lease(*where, timing=timing)
        else:
            self.lease = SharedLease(*where, self.count, timing=timing)
            self.lease.finish = self._finish
        self.tasks = [asyncio.create_task(self._run())]

    async def _sleep(self, seconds: float) -> None:
        await asyncio.sleep(seconds / self.pace)
        await self.awake.wait()

    def left(self, namespace: str) -> float:
        lease = self.lease
        return lease.left(namespace) if isinstance(lease, SharedLease) else lease.left()

    def leads(self, namespace: str) -> bool:
        lease = self.lease
        return lease.leads(namespace) if isinstance(lease, SharedLease) else lease.left() > 0

    async def _run(self) -> None:
        while self.alive:
            await self.lease.acquire()
            working = [asyncio.create_task(self._work(one)) for one in NAMESPACES]
            self.tasks += working
            await self.lease.lost.wait()
            await self.awake.wait()
            # A process that lost its Lease ends, and its container starts again.
            for task in working:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)
            await self.lease.release()
            self.deciding.clear()

    async def _work(self, namespace: str) -> None:
        chance = self.world.chance
        while True:
            await self._sleep(chance.uniform(0.05, 0.5))
            if not self.leads(namespace):
                continue
            self.deciding.add(namespace)
            try:
                for _ in range(3):
                    if not await self.write(namespace):
                        break
            finally:
                self.deciding.discard(namespace)

    async def write(self, namespace: str) -> bool:
        """A write as `http.Client` sends it: while the fence allows, and no longer than that."""
        left = self.left(namespace)
        if left <= 0:
            return False
        self.writes += 1
        self.world.check(self, namespace)
        took = self.world.chance.uniform(0.01, 0.4)
        await asyncio.sleep(min(took, left / self.pace))
        if took < left / self.pace:
            self.world.check(self, namespace)
        await self.awake.wait()
        return True

    async def _finish(self, shards: Shards) -> None:
        while any(shard_of(one, self.count) in shards for one in self.deciding):
            await self._sleep(0.05)

    async def stop(self) -> None:
        """SIGTERM: work ends, then the Lease is released."""
        self.alive = False
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        await self.lease.release()

    def kill(self) -> None:
        """SIGKILL: nothing is released."""
        self.alive = False
        background = [self.lease._task, *getattr(self.lease, "_tasks", ())]
        for task in (*self.tasks, *background):
            if task:
                task.cancel()


class World:
    """All replicas, and what must hold at each of their writes."""

    def __init__(self, seed: int) -> None:
        self.chance = random.Random(seed)
        self.loop = VirtualLoop()
        self.server = Server(self.chance)
        self.replicas: list[Replica] = []
        self.faults: list[str] = []

    def start(self, count: int) -> Replica:
        chance = self.chance
        name = f"pod-{len(self.replicas)}"
        skew, pace = chance.uniform(-5000, 5000), chance.uniform(0.97, 1.03)
        replica = Replica(self, name, count, skew, pace)
        self.replicas.append(replica)
        return replica

    @property
    def living(self) -> list[Replica]:
        return [replica for replica in self.replicas if replica.alive]

    def check(self, writer: Replica, namespace: str) -> None:
        """Two replicas may not write in one namespace at a time; a paused one counts, since it may
        wake at any moment."""
        for other in self.living:
            if other is not writer and other.left(namespace) > 0:
                self.faults.append(
                    f"at {self.loop.time():.2f} s {writer.name} ({writer.count} shards) writes in "
                    f"{namespace}, where {other.name} ({other.count} shards) may write"
                )

    def leaders(self, namespace: str) -> list[str]:
        return [one.name for one in self.living if one.leads(namespace)]
