"""An engine that leads some namespaces decides about their models only, and hands them over."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from canarium.engine.cache.store import Key
from canarium.engine.engine import Engine
from canarium.engine.queue import Urgency
from idle import Silent

LED = {"risk"}


@pytest.fixture
async def engine(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Engine]:
    LED.clear()
    LED.add("risk")
    engine = Engine(Silent(), workers=1, leads=LED.__contains__)  # type: ignore[arg-type]
    monkeypatch.setattr(engine.informers, "covers", lambda namespace: True)
    yield engine
    await engine.informers.stop_all()


@pytest.fixture
def reconciled(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> list[Key]:
    keys: list[Key] = []

    async def reconcile(key: Key) -> None:
        keys.append(key)

    monkeypatch.setattr(engine.reconciler, "reconcile", reconcile)
    return keys


def observe(engine: Engine, namespace: str, version: int = 1) -> None:
    meta: dict[str, Any] = {
        "namespace": namespace,
        "name": "fraud",
        "uid": f"uid-{namespace}",
        "resourceVersion": str(version),
        "generation": version,
    }
    engine.store.parents.observe({"metadata": meta, "spec": {}})


async def work(engine: Engine) -> None:
    task = asyncio.create_task(engine.workers.run())
    await asyncio.sleep(0.05)
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_models_of_other_leaders_are_observed_and_not_decided(
    engine: Engine, reconciled: list[Key]
) -> None:
    observe(engine, "risk")
    observe(engine, "search")
    engine._signalled(("search", "fraud"), True)
    await work(engine)
    assert reconciled == [("risk", "fraud")]
    assert engine.led_models.keys() == {("risk", "fraud")}
    assert engine.store.parents.items.keys() == {("risk", "fraud"), ("search", "fraud")}


async def test_models_are_decided_once_their_namespace_is_taken(
    engine: Engine, reconciled: list[Key]
) -> None:
    observe(engine, "search")
    observe(engine, "risk")
    await work(engine)
    reconciled.clear()
    LED.add("search")
    engine.take(lambda namespace: namespace == "search")
    await work(engine)
    assert reconciled == [("search", "fraud")]


async def test_delay_that_is_due_after_the_namespace_was_handed_over_decides_nothing(
    engine: Engine, reconciled: list[Key]
) -> None:
    observe(engine, "risk")
    await work(engine)
    reconciled.clear()
    engine.queue.add_after(("risk", "fraud"), 0.01, Urgency.CHANGE)
    LED.clear()
    await work(engine)
    assert reconciled == []


async def test_namespace_is_handed_over_after_the_last_reconcile_and_nothing_is_kept_of_it(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    ends, forgotten = asyncio.Event(), list[Key]()

    async def reconcile(key: Key) -> None:
        await ends.wait()

    monkeypatch.setattr(engine.reconciler, "reconcile", reconcile)
    monkeypatch.setattr(engine.reconciler, "forget", forgotten.append)
    observe(engine, "risk")
    workers = asyncio.create_task(engine.workers.run())
    await asyncio.sleep(0.01)
    LED.clear()
    handing_over = asyncio.create_task(engine.hand_over(lambda namespace: namespace == "risk"))
    await asyncio.sleep(0.1)
    assert not handing_over.done(), "a write may be under way"
    assert forgotten == []
    ends.set()
    await asyncio.wait_for(handing_over, 1)
    assert forgotten == [("risk", "fraud")]
    observe(engine, "risk", version=2)
    assert engine.queue.depth == 0
    workers.cancel()
    await asyncio.gather(workers, return_exceptions=True)
