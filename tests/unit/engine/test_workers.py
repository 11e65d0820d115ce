"""Workers take keys from the queue and let others have their turn."""

from __future__ import annotations

import asyncio
from operator import itemgetter

import pytest

from canarium.engine.cache.store import Key
from canarium.engine.queue import Urgency, WorkQueue
from canarium.engine.workers import EXPRESS, Workers
from canarium.kube.clock import Timing
from simulation.clock import VirtualLoop


@pytest.mark.rule("R31")
async def test_reconcile_that_requeues_itself_blocks_no_other_key() -> None:
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


# H7
@pytest.mark.rule("R8", "R31")
@pytest.mark.parametrize("takes", [0.05, 30.0], ids=["quick answers", "slow answers"])
def test_5000_failures_of_a_namespace_delay_no_rollback_of_another(takes: float) -> None:
    loop = VirtualLoop()
    timing = Timing(clock=loop.time)
    began: dict[Key, float] = {}

    async def reconcile(key: Key) -> None:
        began[key] = loop.time()
        await asyncio.sleep(takes)

    async def both() -> float:
        queue: WorkQueue[Key] = WorkQueue(timing, share=itemgetter(0), workers=32 + EXPRESS)
        work = Workers(queue, reconcile, count=32, timing=timing)
        workers = asyncio.create_task(work.run())
        for n in range(5000):
            queue.add(("crowd", str(n)), Urgency.FAULT)
        await asyncio.sleep(1)
        failed = loop.time()
        queue.add(("other", "a"), Urgency.FAULT)
        await asyncio.sleep(2)
        workers.cancel()
        await asyncio.gather(workers, return_exceptions=True)
        return began["other", "a"] - failed

    try:
        assert loop.run(both()) < 1
    finally:
        loop.close()
