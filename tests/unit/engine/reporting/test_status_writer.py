"""Metrics of a status write: every end of a rollout is counted, once."""

from __future__ import annotations

from typing import Any

import pytest

from canarium.engine.cache.store import Key, Store
from canarium.engine.instrumentation import Unobserved
from canarium.engine.queue import Urgency, WorkQueue
from canarium.engine.reporting.status_writer import StatusWriter
from canarium.kube.clock import Timing

KEY = ("ns", "m")
FIRST, SECOND, THIRD = (
    {"revision": revision, "outcome": outcome, "time": "2026-01-01T00:00:00Z"}
    for revision, outcome in (("a", "Promoted"), ("b", "Superseded"), ("c", "RolledBack"))
)


class Taking:
    """An API server that takes every status."""

    async def replace(self, resource: Any, namespace: str, name: str, body: Any, sub: str) -> Any:
        return {**body, "metadata": {**body["metadata"], "resourceVersion": "2"}}


class Counting(Unobserved):
    def __init__(self) -> None:
        self.ends: list[str] = []
        self.took: list[float | None] = []
        self.commands: list[tuple[str, str]] = []

    def ended(self, key: Key, outcome: str, reason: str, took: float | None) -> None:
        assert key == KEY
        self.ends.append(outcome)
        self.took.append(took)

    def commanded(self, command: str, result: str) -> None:
        self.commands.append((command, result))


def model(status: dict[str, Any]) -> dict[str, Any]:
    meta = {"namespace": "ns", "name": "m", "uid": "u", "resourceVersion": "1"}
    return {"apiVersion": "a/v1", "kind": "K", "metadata": meta, "spec": {}, "status": status}


@pytest.mark.parametrize(
    ("before", "after", "counted"),
    [
        ([], [FIRST], ["Promoted"]),
        ([FIRST], [THIRD, SECOND, FIRST], ["RolledBack", "Superseded"]),
        ([FIRST], [SECOND], ["Superseded"]),
        ([SECOND, FIRST], [SECOND, FIRST], []),
        ([SECOND, FIRST], [SECOND], []),
    ],
)
async def test_every_new_entry_of_the_history_is_counted(
    before: list[Any], after: list[Any], counted: list[str]
) -> None:
    counting, queue = Counting(), WorkQueue[Key]()
    api: Any = Taking()
    statuses = StatusWriter(api, Store(queue.add), queue, Timing(), counting)
    raw = model({"history": before})
    assert await statuses.write(KEY, raw, {"history": after, "phase": "Ready"})
    assert sorted(counting.ends) == sorted(counted)


async def test_duration_of_a_rollout_is_reported_if_its_start_is_known() -> None:
    counting, queue = Counting(), WorkQueue[Key]()
    api: Any = Taking()
    statuses = StatusWriter(api, Store(queue.add), queue, Timing(), counting)
    start = {"startTime": "2025-12-31T23:58:30Z"}
    ends = [{**FIRST, **start}, SECOND, {**THIRD, "startTime": "soon"}]
    assert await statuses.write(KEY, model({}), {"history": ends})
    assert counting.took == [90.0, None, None]


async def test_new_commands_are_counted_by_name_and_result() -> None:
    counting, queue = Counting(), WorkQueue[Key]()
    api: Any = Taking()
    statuses = StatusWriter(api, Store(queue.add), queue, Timing(), counting)
    old = {"command": "pause", "token": "1", "result": "Accepted"}
    new = [
        {"command": "promote", "token": "3", "result": "Ignored"},
        # What users write as an annotation is not a label.
        {"command": "promotte", "token": "2", "result": "Ignored"},
    ]
    assert await statuses.write(KEY, model({"commands": [old]}), {"commands": [*new, old]})
    assert counting.commands == [("promote", "Ignored"), ("unknown", "Ignored")]


class Defaulting(Taking):
    """An API server that adds a field to every status."""

    async def replace(self, resource: Any, namespace: str, name: str, body: Any, sub: str) -> Any:
        answer = await super().replace(resource, namespace, name, body, sub)
        return {**answer, "status": {**body["status"], "version": "1"}}


@pytest.mark.parametrize(
    ("server", "decided", "woken"),
    [
        (Taking(), False, [Urgency.RESYNC]),
        # The same decision would follow.
        (Taking(), True, []),
        (Defaulting(), True, [Urgency.RESYNC]),
    ],
)
async def test_written_status_wakes_its_model_unless_a_decision_was_based_on_it(
    server: Any, decided: bool, woken: list[Urgency]
) -> None:
    calls: list[Urgency] = []
    store = Store(lambda key, urgency: calls.append(urgency))
    raw = model({"phase": "Starting"})
    store.parents.observe(raw)
    calls.clear()
    statuses = StatusWriter(server, store, WorkQueue[Key](), Timing(), Unobserved())
    assert await statuses.write(KEY, raw, {"phase": "Ready"}, decided=decided)
    assert calls == woken
    calls.clear()
    store.parents.observe(
        model({"phase": "Pending"}) | {"metadata": {**raw["metadata"], "resourceVersion": "3"}}
    )
    assert calls == [Urgency.RESYNC], "another client's status wakes it"
