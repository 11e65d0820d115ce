"""Virtual time always advances."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from simulation.clock import VirtualLoop


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    made = VirtualLoop()
    yield made
    made.close()


def test_tasks_that_wait_for_less_than_a_nanosecond_do_not_stop_the_clock(
    loop: VirtualLoop,
) -> None:
    """Rounding leaves such waits. Each of these tasks runs while asyncio checks the timer of the
    other one, which it treats as expired up to a nanosecond early."""
    due = loop.time() + 5e-10

    async def worker(behind: int) -> None:
        for _ in range(behind):
            await asyncio.sleep(0)
        while loop.time() < due:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(due - loop.time()):
                    await asyncio.Future()

    async def workers() -> None:
        await asyncio.gather(*(worker(behind) for behind in range(4)))

    loop.run(workers())
    assert due <= loop.time() < due + 1e-5


def test_tasks_that_wake_each_other_indefinitely_are_an_error(loop: VirtualLoop) -> None:
    wake = asyncio.Event()

    async def restless() -> None:
        loop.call_soon(wake.set)
        while await wake.wait():
            wake.clear()
            loop.call_soon(wake.set)

    async def work() -> None:
        task = asyncio.create_task(restless())
        try:
            await asyncio.sleep(1)
        finally:
            task.cancel()

    with pytest.raises(RuntimeError, match=r"indefinitely at 0\.0 s"):
        loop.run(work())
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.advance(1)
