"""How many requests are in flight: a server in virtual time refuses what is too much."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from typing import Any

import pytest

from canarium.kube.clock import Timing
from canarium.kube.errors import ApiError
from canarium.kube.limiter import Limiter
from canarium.kube.retries import Retries
from canarium.kube.throttle import first, urgency
from simulation.clock import VirtualLoop
from sweep import every

rule = pytest.mark.rule
Run = Callable[[Coroutine[Any, Any, Any]], Any]


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    loop = VirtualLoop()
    yield loop
    loop.close()


class Server:
    """Admits `seats` requests at a time, each of which takes 20 ms, and answers 429 to others."""

    def __init__(self, loop: VirtualLoop, seats: int, retry_after: float | None = 1.0) -> None:
        self.timing = Timing(clock=loop.time, sleep=asyncio.sleep)
        self.seats, self._retry_after = seats, retry_after
        self.busy = self.done = self.refused = self.most = 0

    async def request(self) -> None:
        if self.busy >= self.seats:
            self.refused += 1
            await asyncio.sleep(0.001)
            raise ApiError(429, "TooManyRequests", "", self._retry_after)
        self.busy += 1
        await asyncio.sleep(0.02)
        self.busy -= 1
        self.done += 1

    async def send(self, limiter: Limiter) -> None:
        """As the client does it."""
        retries = Retries(self.timing, urgency.get())
        while True:
            seat, refused = await limiter.take(), False
            try:
                return await self.request()
            except ApiError as error:
                refused = True
                wait = retries.wait(error)
                if wait is None:
                    raise
            finally:
                limiter.give_back(seat, refused=refused)
            await asyncio.sleep(wait)

    async def loaded(self, limiter: Limiter, seconds: float, workers: int = 34) -> None:
        """Has `workers` send one request after the other for a while."""
        end = asyncio.get_running_loop().time() + seconds

        async def work() -> None:
            while asyncio.get_running_loop().time() < end:
                try:
                    await self.send(limiter)
                except ApiError:
                    await asyncio.sleep(1)

        await asyncio.gather(*(work() for _ in range(workers)))


# E1
@pytest.mark.parametrize("seats", every([1, 2, 4, 8]))
@pytest.mark.parametrize("retry_after", [1.0, None])
def test_limit_settles_near_what_the_server_admits(
    loop: VirtualLoop, seats: int, retry_after: float | None
) -> None:
    server = Server(loop, seats, retry_after)
    limiter = Limiter(10, server.timing)
    loop.run(server.loaded(limiter, 60))
    assert server.done >= 0.8 * 60 * seats / 0.02
    assert server.refused <= 0.5 * server.done / seats


# E1
def test_limit_widens_again_when_the_server_admits_more(loop: VirtualLoop) -> None:
    server = Server(loop, 2)
    limiter = Limiter(10, server.timing)
    loop.run(server.loaded(limiter, 20))
    assert limiter.limit < 4
    server.seats = 100
    loop.run(server.loaded(limiter, 10))
    assert limiter.limit == 10


def test_requests_refused_together_shrink_the_limit_once(loop: VirtualLoop) -> None:
    async def refused() -> float:
        limiter = Limiter(10, Timing(clock=loop.time))
        await asyncio.sleep(1)
        seats = [await limiter.take() for _ in range(10)]
        for seat in seats:
            await asyncio.sleep(0.001)
            limiter.give_back(seat, refused=True)
        return limiter.limit

    assert loop.run(refused()) == pytest.approx(8)


# E1
def test_answers_that_may_be_faults_leave_a_quarter_of_the_seats(loop: VirtualLoop) -> None:
    async def faulty(*, may_be_fault: bool) -> float:
        limiter = Limiter(16, Timing(clock=loop.time))
        for _ in range(100):
            seat = await limiter.take()
            await asyncio.sleep(0.01)
            limiter.give_back(seat, refused=True, may_be_fault=may_be_fault)
        return limiter.limit

    assert loop.run(faulty(may_be_fault=True)) == 4
    assert loop.run(faulty(may_be_fault=False)) == 1


def test_an_answer_that_may_be_a_fault_widens_no_smaller_limit(loop: VirtualLoop) -> None:
    async def refused_before() -> float:
        limiter = Limiter(16, Timing(clock=loop.time))
        for may_be_fault in (*[False] * 100, True):
            seat = await limiter.take()
            await asyncio.sleep(0.01)
            limiter.give_back(seat, refused=True, may_be_fault=may_be_fault)
        return limiter.limit

    assert loop.run(refused_before()) == 1


# E1
@rule("R8", "R31")
def test_rollback_bypasses_the_limit_and_retry_after(
    loop: VirtualLoop,
) -> None:
    server = Server(loop, 2)
    limiter = Limiter(10, server.timing)
    took: list[float] = []

    async def rollbacks() -> None:
        for _ in range(50):
            # No multiple of what a request takes: a rollback finds all seats taken.
            await asyncio.sleep(0.513)
            began = loop.time()
            with first():
                await server.send(limiter)
            took.append(loop.time() - began)

    async def both() -> None:
        await asyncio.gather(server.loaded(limiter, 26), rollbacks())

    loop.run(both())
    assert sorted(took)[len(took) // 2] < 0.25
    assert max(took) < 0.5


# E1
@rule("R8", "R31")
def test_rollback_does_not_wait_for_requests_in_flight(loop: VirtualLoop) -> None:
    async def waited() -> float:
        limiter = Limiter(2, Timing(clock=loop.time))
        for _ in range(2):
            await limiter.take()
        began = loop.time()
        with first():
            await limiter.take()
        return loop.time() - began

    assert loop.run(waited()) == 0


@rule("R8")
def test_nothing_else_is_sent_while_a_rollback_waits(loop: VirtualLoop) -> None:
    async def order() -> list[str]:
        limiter, sent = Limiter(1, Timing(clock=loop.time)), []

        async def send(name: str, how: int) -> None:
            urgency.set(how)
            seat = await limiter.take()
            sent.append(name)
            await asyncio.sleep(0.1)
            limiter.give_back(seat)

        await asyncio.gather(
            send("rollback", -1), send("change", 1), send("fault", 0), send("next rollback", -1)
        )
        return sent

    assert loop.run(order()) == ["rollback", "next rollback", "fault", "change"]


# H7
@rule("R31")
def test_slow_answers_hold_no_seat_while_the_server_refuses_nothing(loop: VirtualLoop) -> None:
    async def waited() -> float:
        limiter = Limiter(2, Timing(clock=loop.time))
        for _ in range(2):
            await limiter.take()
        began = loop.time()
        await limiter.take()
        return loop.time() - began

    assert loop.run(waited()) == pytest.approx(1)


def test_request_that_is_cancelled_leaves_its_seat_to_others(loop: VirtualLoop) -> None:
    async def cancelled() -> int:
        limiter = Limiter(1, Timing(clock=loop.time))
        seat = await limiter.take()
        waiting = [asyncio.create_task(limiter.take()) for _ in range(3)]
        await asyncio.sleep(0)
        waiting[0].cancel()
        limiter.give_back(seat)
        waiting[1].cancel()
        await asyncio.gather(*waiting[:2], return_exceptions=True)
        limiter.give_back(await waiting[2])
        return limiter.in_flight

    assert loop.run(cancelled()) == 0


@pytest.mark.parametrize(
    "error",
    [
        ApiError(500, "InternalError", "", 1.0),
        ApiError(503, "ServiceUnavailable", ""),
        ApiError(504, "Timeout", "", 1.0),
        ApiError(0, "ServerDisconnectedError", ""),
        ApiError(409, "Conflict", ""),
        ApiError(429, "TooManyRequests", "", 60.0),
    ],
    ids=str,
)
def test_request_that_may_have_taken_effect_is_not_repeated(error: ApiError) -> None:
    assert Retries(Timing(), 1).wait(error) is None


# E1
def test_refused_requests_return_at_different_times_after_what_the_server_asked() -> None:
    error = ApiError(429, "TooManyRequests", "", 1.0)
    waits = {Retries(Timing(), 1).wait(error) or 0.0 for _ in range(20)}
    assert 1.0 <= min(waits) < max(waits) <= 1.2
    retries = Retries(Timing(), 1)
    own = [retries.wait(ApiError(429, "TooManyRequests", "")) for _ in range(20)]
    assert own[0] is not None
    assert own[0] <= 0.1
    assert sum(wait or 0 for wait in own) <= 6
    assert own[-1] is None
