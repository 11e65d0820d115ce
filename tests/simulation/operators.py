"""The operator in two forms: decisions alone, and the whole engine. Both can be killed.

Decisions alone: caches that are always fresh and writes that take no time, so very many states
fit into a second. The engine: its reflectors, queue and workers as they are, where requests take
time, events are late, and many things happen at once.
"""

from __future__ import annotations

import asyncio
import math
import random
from typing import Any, Protocol

import aiohttp

from canarium.api.effective_analysis import EffectiveCheck
from canarium.engine.cache.analysis_targets import analysis_target
from canarium.engine.cache.store import Key, Store
from canarium.engine.engine import Engine
from canarium.engine.external_facts import ExternalFacts
from canarium.engine.queue import WorkQueue
from canarium.engine.reconciler import Reconciler
from canarium.kube import resources
from canarium.kube.clock import Timing
from canarium.kube.errors import ApiError
from canarium.render import labels
from canarium.render.fetch_container import FetcherConfig
from canarium.sources.gate_jobs import GateJobs
from canarium.sources.resolver import SourceResolver
from canarium.sources.web_gates import WebGates
from simulation.client import Connection, Death, Faults
from simulation.clock import VirtualLoop
from simulation.gate_systems import GateSystems
from simulation.registry import Registry
from simulation.server import Write
from simulation.world import KEY, World

#: Decisions for one moment; more is a loop without end.
_MOST_ROUNDS = 60


class Operator(Protocol):
    """What the adversary needs of either form."""

    faults: Faults
    #: Decisions made so far, over all lives.
    decisions: int

    @property
    def running(self) -> bool: ...
    def start(self) -> None: ...
    def kill(self) -> None: ...
    def advance(self, seconds: float) -> None:
        """Lets virtual time pass for the operator and its world."""
        ...


def _timing(loop: VirtualLoop, world: World, chance: random.Random) -> Timing:
    return Timing(now=world.clock.wall, clock=loop.time, sleep=asyncio.sleep, chance=chance)


class Deciding:
    """The decisions alone."""

    def __init__(
        self,
        loop: VirtualLoop,
        world: World,
        signals: Any = None,
        registry: Registry | None = None,
        *,
        approvals_enforced: bool = False,
        systems: GateSystems | None = None,
    ) -> None:
        self._approvals_enforced = approvals_enforced
        self._systems = systems
        self._loop, self._world, self._signals = loop, world, signals
        self._registry = registry
        self._external = ExternalFacts()
        self.faults = Faults()
        self.decisions = 0
        self._connection: Connection | None = None
        world.server.observers.append(self._see)

    @property
    def running(self) -> bool:
        return self._connection is not None

    def start(self) -> None:
        if self._connection:
            return
        chance = random.Random(0)
        timing = _timing(self._loop, self._world, chance)
        self._connection = Connection(self._world.server, self.faults, chance)
        self._queue: WorkQueue[Key] = WorkQueue(timing)
        self._store = Store(self._queue.add)
        wake, systems = self._signalled, self._systems
        self._external = ExternalFacts(
            signals=self._signals,
            resolver=SourceResolver(self._registry, wake, timing) if self._registry else None,
            web_gates=WebGates(systems.ask, wake, timing) if systems else None,
            gate_jobs=GateJobs(self._world.jobs, wake, timing) if systems else None,  # type: ignore[arg-type]
        )
        self._reconciler = Reconciler(
            self._connection,
            self._store,
            self._queue,
            timing,
            external=self._external,
            kit=FetcherConfig("fetch:1") if self._registry else None,
            approvals_enforced=self._approvals_enforced,
        )
        for resource, cache in self._store.caches.items():
            for obj in self._world.server.all(resource, labels.MODEL):
                cache.observe(obj)
        for resource, doors in self._store.gateways.caches.items():
            for obj in self._world.server.all(resource):
                doors.observe(obj)
        shared: dict[Any, Any] = {
            **self._store.check_templates.caches,
            **self._store.model_gates.caches,
        }
        for resource, cached in shared.items():
            for obj in self._world.server.all(resource):
                cached.observe(obj)
        for obj in self._world.server.all(resources.MODELS):
            self._store.parents.observe(obj)

    def evaluated(self, revision: str) -> tuple[EffectiveCheck, ...]:
        """The checks that this operator would evaluate now."""
        target = analysis_target(self._store, KEY)
        analysis = target.judging(revision).analysis if target else None
        return analysis.checks if analysis else ()

    def kill(self) -> None:
        if self._connection:
            self._connection.close()
            self._connection = None
        self._loop.run(self._external.close())
        self._external = ExternalFacts()

    def _signalled(self, key: Key, urgent: bool) -> None:
        self._queue.add(key)

    def look(self) -> None:
        """Evidence is new: that wakes the model, as a signal does."""
        if self._connection:
            self._queue.add(KEY)

    def advance(self, seconds: float) -> None:
        until = self._loop.time() + seconds
        while True:
            due = self._settle()
            left = until - self._loop.time()
            if left <= 0:
                return
            # A registry or the system of a gate may answer at any moment.
            due = min(due, 1.0) if self._registry or self._systems else due
            self._loop.advance(min(left, max(due, 0.001)))

    def _settle(self) -> float:
        """Decides until nothing is to be decided now; seconds until something may be."""
        for _ in range(_MOST_ROUNDS):
            due = self._world.settle()
            if not self._connection:
                return due
            key = self._queue.take()
            if key is None:
                soon = self._queue.next_due()
                return min(due, math.inf if soon is None else soon)
            self.decisions += 1
            try:
                self._loop.run(self._reconciler.reconcile(key))
                self._queue.forget(key)
            except ApiError:
                self._queue.backoff(key)
            except Death:
                self.kill()
                continue
            self._queue.done(key)
        raise AssertionError(f"decides without end: {self._world.status().get('message')}")

    def _see(self, write: Write) -> None:
        if not self._connection:
            return
        whole: dict[Any, Any] = {
            resources.MODELS: self._store.parents,
            **self._store.check_templates.caches,
            **self._store.model_gates.caches,
        }
        cache = whole.get(write.resource) or self._store.caches.get(write.resource)
        if cache is None:
            return
        seen = write.resource in whole or labels.MODEL in (
            (write.after or {"metadata": {}})["metadata"].get("labels") or {}
        )
        if write.after and seen:
            cache.observe(write.after)
        elif write.after:  # A watch with a selector reports a deletion.
            meta = write.after["metadata"]
            cache.forget(*write.key, meta["uid"], int(meta["resourceVersion"]))
        elif write.before:
            cache.forget(*write.key, write.before["metadata"]["uid"])


class Operating:
    """The whole engine."""

    def __init__(self, loop: VirtualLoop, world: World, seed: int = 0) -> None:
        self._loop, self._world = loop, world
        self._chance = random.Random(seed)
        self.faults = Faults()
        self.connection: Connection | None = None
        self._engine: asyncio.Task[None] | None = None
        self._parents: asyncio.Task[None] | None = None
        self._life = loop.create_task(world.live())
        self._decided = 0

    @property
    def decisions(self) -> int:
        return self._decided

    @property
    def running(self) -> bool:
        return self._engine is not None

    def start(self) -> None:
        if not self._engine:
            self._loop.run(self._start())

    async def _start(self) -> None:
        connection = Connection(self._world.server, self.faults, self._chance)
        timing = _timing(self._loop, self._world, self._chance)
        engine = Engine(connection, workers=2, timing=timing)
        decide = engine.reconciler.reconcile

        async def counted(key: Key) -> None:
            self._decided += 1
            await decide(key)

        engine.reconciler.reconcile = counted  # type: ignore[method-assign]
        self.connection = connection
        self._engine = self._loop.create_task(engine.run())
        self._parents = self._loop.create_task(_follow_parents(engine.store, connection))

    def kill(self) -> None:
        if not self._engine or not self._parents or not self.connection:
            return
        self.connection.close()
        tasks = [self._engine, self._parents]
        for task in tasks:
            task.cancel()
        self._loop.run(_ended(tasks))
        self._engine = self._parents = self.connection = None

    def advance(self, seconds: float) -> None:
        self._loop.advance(seconds)
        if self._engine and self.connection and (self._engine.done() or self.connection.dead):
            crashed = self._engine.done() and not self.connection.dead
            error = self._engine.exception() if crashed else None
            self.kill()
            assert not crashed, f"the engine ended by itself: {error!r}"
        if self._life.done():
            self._life.result()

    def close(self) -> None:
        """Ends everything."""
        self.kill()
        self._life.cancel()
        self._loop.run(_ended([self._life]))


async def _ended(tasks: list[asyncio.Task[None]]) -> None:
    await asyncio.gather(*tasks, return_exceptions=True)


async def _follow_parents(store: Store, connection: Connection) -> None:
    """What kopf does: lists and watches the parents, and calls `on.event` for each event.

    Its relist creates events for existing objects, and none for those deleted in the meantime.
    """
    while True:
        try:
            page = await connection.list(resources.MODELS)
            for obj in page["items"]:
                store.parents.observe(obj)
            version = page["metadata"]["resourceVersion"]
            async for event in connection.watch(resources.MODELS, None, resourceVersion=version):
                obj = event["object"]
                if event["type"] == "DELETED":
                    meta = obj["metadata"]
                    store.parents.forget(meta["namespace"], meta["name"], meta["uid"])
                elif event["type"] != "BOOKMARK":
                    store.parents.observe(obj)
        except (ApiError, aiohttp.ClientError):
            await asyncio.sleep(1.0)
