"""When a status and its Events are written: at once, or under load after effective writes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from canarium.api.status import RevisionStatus, Status
from canarium.core.decision.plan import Event, Plan
from canarium.core.times import stamp
from canarium.engine.cache.store import Key, Store
from canarium.engine.instrumentation import Unobserved
from canarium.engine.queue import Urgency, WorkQueue
from canarium.engine.reporting.status_scheduler import StatusScheduler
from canarium.engine.reporting.status_writer import StatusWriter
from canarium.kube.clock import Timing
from idle import Clock

KEY: Key = ("risk", "fraud")
OTHER: Key = ("risk", "churn")
PROMOTED = Event("Normal", "Promoted", "version 2")
DECIDED = Plan("Ready", Status(phase="Ready"), events=(PROMOTED,))
#: What the same facts lead to once the status has been written.
AFTER = Plan("Ready", Status(phase="Ready"))
NEWER = Plan("Progressing", Status(phase="Progressing"))


class Server:
    """An API server that records the writes about one model."""

    def __init__(self) -> None:
        self.writes: list[str] = []
        self.dated: list[str] = []
        self.model: dict[str, Any] = {
            "apiVersion": "a/v1",
            "kind": "K",
            "metadata": {
                "namespace": KEY[0], "name": KEY[1], "uid": "u", "resourceVersion": "1",
            },
            "spec": {},
        }  # fmt: skip

    async def replace(self, resource: Any, namespace: str, name: str, body: Any, sub: str) -> Any:
        self.writes.append("status")
        self.model = {**self.model, "status": body["status"]}
        return {**self.model, "metadata": {**self.model["metadata"], "resourceVersion": "2"}}

    async def create(self, resource: Any, namespace: str, body: Any) -> Any:
        self.writes.append(body["reason"])
        self.dated.append(body["firstTimestamp"])
        return body


class World:
    """A model that is worked on because of `urgency`, and a key of `waiting` that waits."""

    def __init__(self, urgency: Urgency, waiting: Urgency | None) -> None:
        self.clock, self.server = Clock(), Server()
        timing = Timing(now=self.clock, clock=self.clock)
        self.queue: WorkQueue[Key] = WorkQueue(timing)
        api: Any = self.server
        self.woken: list[Key] = []
        store = Store(lambda key, urgency: self.woken.append(key))
        store.parents.observe(self.server.model)
        self.woken.clear()
        statuses = StatusWriter(api, store, self.queue, timing, Unobserved())
        self.scheduler = StatusScheduler(statuses, self.queue, timing)
        self.queue.add(KEY, urgency)
        assert self.queue.take() == KEY
        if waiting is not None:
            self.queue.add(OTHER, waiting)

    async def publish(self, decision: Plan) -> list[str]:
        """Writes about a decision on the model as it is stored."""
        before = len(self.server.writes)
        model = self.server.model
        await self.scheduler.publish(
            KEY, model, self.scheduler.with_pending_status(KEY, model), decision
        )
        return self.server.writes[before:]


@pytest.mark.parametrize(
    ("urgency", "waiting", "writes"),
    [
        (Urgency.CHANGE, None, ["status", "Promoted"]),
        (Urgency.CHANGE, Urgency.IDLE, ["status", "Promoted"]),
        (Urgency.CHANGE, Urgency.RESYNC, ["status"]),
        (Urgency.CHANGE, Urgency.CHANGE, []),
        (Urgency.RESYNC, Urgency.RESYNC, ["status"]),
        (Urgency.RESYNC, Urgency.CHANGE, []),
        # Faults are reported at once.
        (Urgency.FAULT, Urgency.CHANGE, ["status"]),
    ],
)
async def test_busy_queue_defers_events_after_status_and_status_after_traffic(
    urgency: Urgency, waiting: Urgency | None, writes: list[str]
) -> None:
    assert await World(urgency, waiting).publish(DECIDED) == writes


async def test_status_is_never_deferred_indefinitely() -> None:
    world = World(Urgency.CHANGE, Urgency.CHANGE)
    assert await world.publish(DECIDED) == []
    world.clock.now += 45.0
    assert await world.publish(AFTER) == []
    world.clock.now += 0.1
    assert await world.publish(AFTER) == ["status"]


async def test_deferred_status_does_not_wake_its_model_once_it_is_written() -> None:
    world = World(Urgency.CHANGE, Urgency.CHANGE)
    assert await world.publish(DECIDED) == []
    world.clock.now += 45.1
    assert await world.publish(AFTER) == ["status"]
    assert world.woken == []


async def test_status_that_is_new_wakes_its_model_once_it_is_written() -> None:
    world = World(Urgency.CHANGE, None)
    await world.publish(DECIDED)
    assert world.woken == [KEY]


async def test_deferred_event_is_posted_once() -> None:
    world = World(Urgency.RESYNC, Urgency.RESYNC)
    assert await world.publish(DECIDED) == ["status"]
    world.queue.done(KEY)
    assert [world.queue.take(), world.queue.take()] == [OTHER, KEY]
    assert await world.publish(AFTER) == ["Promoted"]
    assert await world.publish(AFTER) == []


@pytest.mark.parametrize(
    ("event", "limit"),
    [(PROMOTED, 120.0), (Event("Warning", "RolledBack", "version 2"), 30.0)],
    ids=["progress", "warning"],
)
async def test_event_is_deferred_no_longer_than_its_limit(event: Event, limit: float) -> None:
    world = World(Urgency.RESYNC, Urgency.RESYNC)
    assert await world.publish(replace(DECIDED, events=(event,))) == ["status"]
    world.clock.now += limit
    assert await world.publish(AFTER) == []
    world.clock.now += 0.1
    assert await world.publish(AFTER) == [event.reason]


async def test_deferred_event_has_the_time_of_what_it_reports() -> None:
    world = World(Urgency.RESYNC, Urgency.RESYNC)
    began = world.clock.now
    await world.publish(DECIDED)
    world.clock.now += 121.0
    assert await world.publish(AFTER) == ["Promoted"]
    assert world.server.dated == [stamp(began)[:19] + "Z"]


async def test_deferred_event_of_a_deleted_model_is_not_posted_for_its_successor() -> None:
    world = World(Urgency.RESYNC, Urgency.RESYNC)
    assert await world.publish(DECIDED) == ["status"]
    world.queue.take()
    world.server.model["metadata"] = {**world.server.model["metadata"], "uid": "another"}
    assert await world.publish(AFTER) == []


async def test_status_of_a_new_decision_has_its_own_deferral() -> None:
    world = World(Urgency.CHANGE, Urgency.RESYNC)
    assert await world.publish(DECIDED) == ["status"]
    world.clock.now += 50.0
    world.queue.add(OTHER, Urgency.CHANGE)
    assert await world.publish(NEWER) == []


@pytest.mark.rule("R6", "R29")
async def test_effective_weight_is_written_sooner_than_pod_counts() -> None:
    def shared(candidate: int, ready: int) -> Plan:
        part = RevisionStatus(
            revision="b", ready_replicas=ready, weight=50, effective_weight=candidate
        )
        return Plan(
            "Progressing", Status(phase="Progressing", candidate=part), status_is_urgent=False
        )

    world = World(Urgency.CHANGE, None)
    assert await world.publish(replace(shared(50, 8), status_is_urgent=True)) == ["status"]
    assert await world.publish(shared(50, 7)) == []
    world.clock.now += 5.0
    assert await world.publish(shared(50, 7)) == [], "only a count differs"
    world = World(Urgency.CHANGE, None)
    assert await world.publish(replace(shared(50, 8), status_is_urgent=True)) == ["status"]
    assert await world.publish(shared(80, 8)) == []
    world.clock.now += 2.0
    assert await world.publish(shared(80, 8)) == ["status"]
