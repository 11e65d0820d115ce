"""Turns between namespaces: round robin, a share for each, seats, and a rate, in virtual time."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator

import pytest

from canarium.kube.clock import Timing
from canarium.kube.turns import SLOW, FairTurns
from simulation.clock import VirtualLoop

rule = pytest.mark.rule


class Rig:
    """Requests that take some seconds each, in virtual time."""

    def __init__(self) -> None:
        self.loop = VirtualLoop()
        self.started: list[tuple[float, str]] = []
        self.under_way: list[str] = []
        self.most = 0
        self.turns = self.limited(2, 2)

    def limited(self, at_once: int, share: int, *rate: float) -> FairTurns:
        timing = Timing(clock=self.loop.time, sleep=asyncio.sleep)
        per_second, burst = rate or (float("inf"), 1)
        self.turns = FairTurns(at_once, share, per_second, int(burst), timing)
        return self.turns

    def request(
        self, namespace: str, takes: float = 0.5, *, repeats: bool = False
    ) -> asyncio.Task[None]:
        async def ask() -> None:
            async with self.turns.turn(namespace, repeats):
                self.started.append((self.loop.time(), namespace.upper() if repeats else namespace))
                self.under_way.append(namespace)
                self.most = max(self.most, len(self.under_way))
                try:
                    await asyncio.sleep(takes)
                finally:
                    self.under_way.remove(namespace)

        return self.loop.create_task(ask())

    def order(self) -> str:
        return "".join(namespace for _, namespace in self.started)


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    tasks = asyncio.all_tasks(made.loop)
    for task in tasks:
        task.cancel()
    made.loop.advance(0.1)
    made.loop.close()


@rule("R31")
def test_namespaces_are_served_in_turns_and_each_in_the_order_of_arrival(rig: Rig) -> None:
    rig.limited(1, 1)
    for namespace in "aaaabbc":
        rig.request(namespace)
    rig.loop.advance(10.0)
    assert rig.order() == "aabcaba"


@rule("R31")
def test_repetitions_follow_the_other_requests_of_their_namespace_only(rig: Rig) -> None:
    rig.limited(1, 1)
    rig.request("a")
    for namespace in "aabb":
        rig.request(namespace, repeats=True)
    cancelled = rig.request("a", repeats=True)
    for namespace in "aa":
        rig.request(namespace)
    rig.loop.advance(0.1)
    cancelled.cancel()
    rig.loop.advance(10.0)
    assert rig.order() == "aaBaBAA"


@rule("R31")
def test_namespace_that_begins_to_wait_follows_one_request_of_each_other(rig: Rig) -> None:
    rig.limited(1, 1)
    for namespace in "abab" * 50:
        rig.request(namespace)
    rig.loop.advance(0.1)
    rig.request("c")
    rig.loop.advance(1.5)
    assert rig.order()[:4] in ("abac", "abca")


@rule("R31")
def test_namespace_has_its_share_under_way_although_seats_are_free(rig: Rig) -> None:
    rig.limited(8, 3)
    for _ in range(20):
        rig.request("a", takes=30.0)
    rig.loop.advance(20.0)
    assert rig.under_way == ["a"] * 3
    rig.request("b")
    rig.loop.advance(0.01)
    assert rig.started[-1] == (20.0, "b")


@rule("R31")
def test_slow_request_gives_its_seat_to_another_namespace(rig: Rig) -> None:
    rig.limited(2, 1)
    for namespace in "abc":
        rig.request(namespace, takes=60.0)
    rig.loop.advance(SLOW - 0.01)
    assert rig.order() == "ab"
    rig.loop.advance(0.02)
    assert rig.order() == "abc"
    rig.loop.advance(120.0)
    assert not rig.under_way
    for namespace in "defg":
        rig.request(namespace)
    rig.loop.advance(0.1)
    assert rig.under_way == ["d", "e"], "a seat is returned once"


@rule("R31")
def test_requests_start_at_the_rate_and_a_burst_at_once(rig: Rig) -> None:
    rig.limited(100, 100, 10.0, 3)
    for number in range(9):
        rig.request("ab"[number % 2], takes=0.0)
    rig.loop.advance(2.0)
    times = [at for at, _ in rig.started]
    assert times == pytest.approx([0, 0, 0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6], abs=1e-4)
    rig.loop.advance(60.0)
    for _ in range(5):
        rig.request("a", takes=0.0)
    rig.loop.advance(0.05)
    assert len(rig.started) == 9 + 3


@rule("R31")
def test_waiters_of_a_full_share_use_none_of_the_rate(rig: Rig) -> None:
    rig.limited(8, 1, 1.0, 1)
    for _ in range(10):
        rig.request("a", takes=60.0)
    rig.loop.advance(10.0)
    rig.request("b")
    rig.loop.advance(0.01)
    assert rig.started == [(0.0, "a"), (10.0, "b")]


@rule("R31")
def test_cancelled_requests_leave_no_trace(rig: Rig) -> None:
    """Cancels at every moment: while waiting, in the moment of the turn, and under way."""
    chance = random.Random(5)
    rig.limited(3, 2, 50.0, 5)
    for _ in range(400):
        tasks = [rig.request(chance.choice("abcd"), chance.random() * 2) for _ in range(6)]
        rig.loop.advance(chance.random() * 0.2)
        for task in chance.sample(tasks, 4):
            task.cancel()
    rig.loop.advance(600.0)
    assert not rig.under_way
    assert rig.most <= 3 * 4
    rig.started.clear()
    for namespace in "aabbccdd":
        rig.request(namespace, takes=0.9)
    rig.loop.advance(0.01)
    assert rig.order() == "aab"
    rig.loop.advance(60.0)
    assert sorted(rig.order()) == list("aabbccdd")


@pytest.mark.parametrize("wrong", [(0, 1, 1.0, 1), (1, 0, 1.0, 1), (1, 1, 0.0, 1), (1, 1, 1.0, 0)])
def test_limit_that_lets_nothing_pass_is_refused(wrong: tuple[int, int, float, int]) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        FairTurns(*wrong)
