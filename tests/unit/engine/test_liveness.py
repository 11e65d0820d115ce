"""The liveness probe: each part that can be stuck is stuck in turn."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from canarium.engine.engine import Engine
from canarium.engine.liveness import stuck
from canarium.engine.queue import Urgency
from canarium.kube.clock import Timing
from canarium.telemetry.probes import serve_probes
from idle import Clock, Silent


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def engine(clock: Clock) -> AsyncIterator[Engine]:
    engine = Engine(Silent(), workers=1, timing=Timing(clock=clock))  # type: ignore[arg-type]
    yield engine
    await engine.informers.stop_all()


async def test_idle_engine_is_healthy(engine: Engine, clock: Clock) -> None:
    clock.now += 10_000
    assert list(stuck(engine)) == []


async def test_watch_that_hangs_is_named(engine: Engine, clock: Clock) -> None:
    engine.watch_namespace("risk")
    await asyncio.sleep(0.01)
    clock.now += 179
    assert list(stuck(engine)) == []
    clock.now += 2
    assert any("pods in risk has been silent for 181 s" in x for x in stuck(engine))


async def test_watch_that_ended_is_named(engine: Engine) -> None:
    engine.watch_namespace("risk")
    task = next(t for t in asyncio.all_tasks() if "pods in risk" in t.get_name())
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert [x for x in stuck(engine) if "has ended" in x] == ["the watch of pods in risk has ended"]


async def test_stuck_key_and_unserved_queue_are_named(
    engine: Engine, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hang(key: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(engine.workers, "_reconcile", hang)
    task = asyncio.create_task(engine.workers.run())
    for name in "abcd":
        engine.queue.add(("risk", name), Urgency.FAULT)
    await asyncio.sleep(0.01)
    assert list(stuck(engine)) == []
    clock.now += 121
    assert list(stuck(engine)) == ["no worker has taken a due key for 121 s"]
    clock.now += 180
    assert "risk/a has been reconciling for 301 s" in list(stuck(engine))
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def test_standby_operator_with_a_queue_is_healthy(engine: Engine, clock: Clock) -> None:
    engine.queue.add(("risk", "a"))
    clock.now += 10_000
    assert list(stuck(engine)) == []


async def test_problems_fail_the_probe_and_are_its_response() -> None:
    complaints: list[str] = []
    async with (
        serve_probes("127.0.0.1", 0, alive=lambda: complaints, ready=lambda: ["listing"]) as port,
        aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session,
    ):
        async with session.get("/healthz") as answer:
            assert (answer.status, await answer.text()) == (200, "ok\n")
        complaints.append("the watch has ended")
        async with session.get("/healthz") as answer:
            assert (answer.status, await answer.text()) == (503, "the watch has ended\n")
        async with session.get("/readyz") as answer:
            assert (answer.status, await answer.text()) == (503, "listing\n")
