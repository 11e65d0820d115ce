"""Workers take keys from the queue and let others have their turn."""

from __future__ import annotations

import asyncio

import pytest

from canarium.engine.queue import Urgency, WorkQueue
from canarium.engine.store import Key
from canarium.engine.workers import Workers


@pytest.mark.rule("R31")
async def test_decision_that_waits_for_nothing_and_comes_again_blocks_nobody() -> None:
    queue: WorkQueue[Key] = WorkQueue()
    rounds = 0

    async def reconcile(key: Key) -> None:
        nonlocal rounds
        rounds += 1
        if rounds < 10_000:
            queue.add(key, Urgency.IDLE)

    workers = asyncio.create_task(Workers(queue, reconcile, count=1).run())
    queue.add(("ns", "a"))
    for _ in range(20):
        await asyncio.sleep(0)
    assert 0 < rounds < 100
    workers.cancel()
    await asyncio.gather(workers, return_exceptions=True)
