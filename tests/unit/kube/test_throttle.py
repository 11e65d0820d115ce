"""The limit on our own writes, in virtual time."""

from __future__ import annotations

import asyncio

import pytest

from canarium.kube.clock import Timing
from canarium.kube.throttle import Throttle, first, urgency
from idle import SleepingClock


@pytest.fixture
def time() -> SleepingClock:
    return SleepingClock()


def throttle(time: SleepingClock, qps: float = 10, burst: int = 3) -> Throttle:
    return Throttle(qps, burst, Timing(clock=time, sleep=time.sleep))


async def test_burst_is_sent_at_once_and_the_rest_at_the_rate(time: SleepingClock) -> None:
    limit = throttle(time)
    at = []
    for _ in range(6):
        await limit.admit()
        at.append(round(time.now, 3))
    assert at == [0, 0, 0, 0.1, 0.2, 0.3]


async def test_tokens_of_a_quiet_time_are_not_more_than_the_burst(time: SleepingClock) -> None:
    limit = throttle(time)
    time.now += 1000
    for _ in range(4):
        await limit.admit()
    assert time.now == pytest.approx(1000.1)


async def test_urgent_write_precedes_those_that_wait(time: SleepingClock) -> None:
    limit = throttle(time, burst=1)
    await limit.admit()
    order: list[str] = []

    async def write(name: str, how: int) -> None:
        urgency.set(how)
        await limit.admit()
        order.append(name)

    await asyncio.gather(write("resync", 2), write("change", 1), write("rollback", 0))
    assert order == ["rollback", "change", "resync"]


async def test_cancelled_write_uses_no_token(time: SleepingClock) -> None:
    limit = throttle(time, burst=1)
    await limit.admit()
    given_up, other = (asyncio.create_task(limit.admit()) for _ in range(2))
    await asyncio.sleep(0)
    given_up.cancel()
    await other
    assert time.now == pytest.approx(0.1)


# E1
async def test_write_that_takes_precedence_does_not_wait_for_the_rate(time: SleepingClock) -> None:
    limit = throttle(time, burst=1)
    await limit.admit()
    with first():
        await limit.admit()
    assert time.now == 0
    await limit.admit()
    assert time.now == pytest.approx(0.2), "it counts for later ones"


@pytest.mark.parametrize(("qps", "burst"), [(0, 1), (-1, 1), (1, 0)])
def test_limit_of_zero_is_refused(qps: float, burst: int) -> None:
    with pytest.raises(ValueError, match="qps must be above 0"):
        Throttle(qps, burst)
