"""Pods of no more use are deleted after what others wait for, with a bounded delay."""

from __future__ import annotations

from typing import Any

import pytest

from canarium.api.status import Status
from canarium.core.decision.plan import Action, DeleteDeployment, Plan, Scale
from canarium.engine.apply.deferred_deletes import DeferredDeletes
from canarium.engine.cache.store import Key
from canarium.engine.queue import Urgency, WorkQueue
from canarium.kube.clock import Timing

KEY: Key = ("risk", "fraud")
OTHER: Key = ("risk", "churn")
GOES = DeleteDeployment("old", "uid")


class World:
    """A queue in which `KEY` is worked on, and its clock."""

    def __init__(self, crowded: Urgency | None = Urgency.RESYNC) -> None:
        self.now = 0.0
        timing = Timing(clock=lambda: self.now)
        self.queue: WorkQueue[Key] = WorkQueue(timing)
        self.queue.add(KEY)
        assert self.queue.take() == KEY
        if crowded is not None:
            self.queue.add(OTHER, crowded)
        self.tidying = DeferredDeletes(self.queue, timing)

    def put_off(self, action: Action = GOES, phase: str = "Ready") -> bool:
        return self.tidying.defer(KEY, Plan(phase, Status()), action)


@pytest.mark.parametrize("crowded", [Urgency.FAULT, Urgency.CHANGE, Urgency.RESYNC])
def test_deletion_is_deferred_while_the_queue_is_busy(
    crowded: Urgency,
) -> None:
    world = World(crowded)
    assert world.put_off()
    world.queue.done(KEY)
    assert [world.queue.take(), world.queue.take()] == [OTHER, KEY]


def test_deferred_deletion_waits_for_30_seconds_at_most() -> None:
    world = World()
    assert world.put_off()
    world.now = 30.0
    assert world.put_off()
    world.now = 30.1
    assert not world.put_off()


@pytest.mark.parametrize(
    ("crowded", "asked"),
    [
        (None, {}),
        # Other deferred deletions do not count as load: each would wait for the other.
        (Urgency.IDLE, {}),
        (Urgency.CHANGE, {"action": Scale("new", 3)}),
        # A deletion that makes room for the target is not deferred.
        (Urgency.CHANGE, {"phase": "Progressing"}),
        (Urgency.CHANGE, {"phase": "RollingBack"}),
    ],
)
def test_other_actions_are_never_deferred(crowded: Urgency | None, asked: dict[str, Any]) -> None:
    assert not World(crowded).put_off(**asked)
