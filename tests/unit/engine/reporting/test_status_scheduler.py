"""When a status and its Events are told: at once, or in a crowd after what is in effect."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from canarium.api.status import RevisionStatus, Status
from canarium.core.decision.plan import Event, Plan
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
#: What the same facts lead to once the status has been told.
AFTER = Plan("Ready", Status(phase="Ready"))
NEWER = Plan("Progressing", Status(phase="Progressing"))


class Server:
    """An API server that notes what it is told of one model."""

    def __init__(self) -> None:
        self.told: list[str] = []
        self.model: dict[str, Any] = {
            "apiVersion": "a/v1",
            "kind": "K",
            "metadata": {
                "namespace": KEY[0], "name": KEY[1], "uid": "u", "resourceVersion": "1",
            },
            "spec": {},
        }  # fmt: skip

    async def replace(self, resource: Any, namespace: str, name: str, body: Any, sub: str) -> Any:
        self.told.append("status")
        self.model = {**self.model, "status": body["status"]}
        return {**self.model, "metadata": {**self.model["metadata"], "resourceVersion": "2"}}

    async def create(self, resource: Any, namespace: str, body: Any) -> Any:
        self.told.append(body["reason"])
        return body


class World:
    """A model that is worked on because of `urgency`, and a key of `waiting` that waits."""

    def __init__(self, urgency: Urgency, waiting: Urgency | None) -> None:
        self.clock, self.server = Clock(), Server()
        timing = Timing(clock=self.clock)
        self.queue: WorkQueue[Key] = WorkQueue(timing)
        api: Any = self.server
        statuses = StatusWriter(
            api, Store(lambda key, urgency: None), self.queue, timing, Unobserved()
        )
        self.telling = StatusScheduler(statuses, self.queue, timing)
        self.queue.add(KEY, urgency)
        assert self.queue.take() == KEY
        if waiting is not None:
            self.queue.add(OTHER, waiting)

    async def tell(self, decision: Plan) -> list[str]:
        """What is told of a decision on the model as it is stored."""
        before = len(self.server.told)
        told = self.server.model
        await self.telling.publish(KEY, told, self.telling.with_pending_status(KEY, told), decision)
        return self.server.told[before:]


@pytest.mark.parametrize(
    ("urgency", "waiting", "told"),
    [
        (Urgency.CHANGE, None, ["status", "Promoted"]),
        (Urgency.CHANGE, Urgency.IDLE, ["status", "Promoted"]),
        (Urgency.CHANGE, Urgency.RESYNC, ["status"]),
        (Urgency.CHANGE, Urgency.CHANGE, []),
        (Urgency.RESYNC, Urgency.RESYNC, ["status"]),
        (Urgency.RESYNC, Urgency.CHANGE, []),
        # What went wrong is told at once.
        (Urgency.FAULT, Urgency.CHANGE, ["status"]),
    ],
)
async def test_in_a_crowd_the_status_goes_before_events_and_what_is_in_effect_before_both(
    urgency: Urgency, waiting: Urgency | None, told: list[str]
) -> None:
    assert await World(urgency, waiting).tell(DECIDED) == told


async def test_no_status_is_put_off_for_ever() -> None:
    world = World(Urgency.CHANGE, Urgency.CHANGE)
    assert await world.tell(DECIDED) == []
    world.clock.now += 45.0
    assert await world.tell(AFTER) == []
    world.clock.now += 0.1
    assert await world.tell(AFTER) == ["status"]


async def test_an_event_that_was_put_off_is_told_once_and_by_itself() -> None:
    world = World(Urgency.RESYNC, Urgency.RESYNC)
    assert await world.tell(DECIDED) == ["status"]
    world.queue.done(KEY)
    assert [world.queue.take(), world.queue.take()] == [OTHER, KEY]
    assert await world.tell(AFTER) == ["Promoted"]
    assert await world.tell(AFTER) == []


async def test_no_event_is_put_off_for_longer_than_half_a_minute() -> None:
    world = World(Urgency.RESYNC, Urgency.RESYNC)
    assert await world.tell(DECIDED) == ["status"]
    world.clock.now += 30.0
    assert await world.tell(AFTER) == []
    world.clock.now += 0.1
    assert await world.tell(AFTER) == ["Promoted"]


async def test_what_was_put_off_of_a_model_that_is_gone_is_not_told_of_its_successor() -> None:
    world = World(Urgency.RESYNC, Urgency.RESYNC)
    assert await world.tell(DECIDED) == ["status"]
    world.queue.take()
    world.server.model["metadata"] = {**world.server.model["metadata"], "uid": "another"}
    assert await world.tell(AFTER) == []


async def test_status_of_a_new_decision_waits_its_own_time_whatever_events_wait() -> None:
    world = World(Urgency.CHANGE, Urgency.RESYNC)
    assert await world.tell(DECIDED) == ["status"]
    world.clock.now += 50.0
    world.queue.add(OTHER, Urgency.CHANGE)
    assert await world.tell(NEWER) == []


@pytest.mark.rule("R6", "R29")
async def test_effective_weight_is_written_within_seconds_and_pod_counts_later() -> None:
    def shared(candidate: int, ready: int) -> Plan:
        part = RevisionStatus(
            revision="b", ready_replicas=ready, weight=50, effective_weight=candidate
        )
        return Plan(
            "Progressing", Status(phase="Progressing", candidate=part), status_is_urgent=False
        )

    world = World(Urgency.CHANGE, None)
    assert await world.tell(replace(shared(50, 8), status_is_urgent=True)) == ["status"]
    assert await world.tell(shared(50, 7)) == []
    world.clock.now += 5.0
    assert await world.tell(shared(50, 7)) == [], "only a count differs"
    world = World(Urgency.CHANGE, None)
    assert await world.tell(replace(shared(50, 8), status_is_urgent=True)) == ["status"]
    assert await world.tell(shared(80, 8)) == []
    world.clock.now += 2.0
    assert await world.tell(shared(80, 8)) == ["status"]
