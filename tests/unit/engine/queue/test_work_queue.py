"""The work queue in virtual time: `take` is `get` without the waiting."""

from __future__ import annotations

import asyncio
import itertools

import pytest

from canarium.engine.queue import Urgency, WorkQueue
from canarium.kube.clock import Timing
from idle import Clock

Key = tuple[str, str]
rule = pytest.mark.rule


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def queue(clock: Clock) -> WorkQueue[str]:
    return WorkQueue(Timing(clock=clock))


@pytest.fixture
async def shared(clock: Clock) -> WorkQueue[Key]:
    """A queue whose keys are of namespaces, for 10 workers."""
    return WorkQueue(Timing(clock=clock), share=lambda key: key[0], workers=10)


def drain(queue: WorkQueue[str]) -> list[str]:
    return list(itertools.takewhile(bool, iter(lambda: queue.take() or "", None)))


async def test_key_added_twice_is_handed_out_once(queue: WorkQueue[str]) -> None:
    queue.add("a")
    queue.add("a")
    assert queue.depth == 1
    assert drain(queue) == ["a"]


async def test_rollbacks_precede_changes_resyncs_and_the_rest(
    queue: WorkQueue[str],
) -> None:
    for key, urgency in zip("ircf", reversed(Urgency), strict=True):
        queue.add(key, urgency)
    assert drain(queue) == ["f", "c", "r", "i"]


@pytest.mark.parametrize("urgency", [Urgency.RESYNC, Urgency.IDLE])
async def test_key_that_is_not_urgent_waits_for_30_seconds_at_most(
    queue: WorkQueue[str], clock: Clock, urgency: Urgency
) -> None:
    queue.add("r", urgency)
    clock.now += 29
    queue.add("c")
    assert queue.take() == "c"
    queue.add("d")
    clock.now += 2
    queue.add("f", Urgency.FAULT)
    assert drain(queue) == ["f", "r", "d"]
    assert queue.depth == 0


async def test_queue_reports_whether_a_key_of_an_urgency_waits(queue: WorkQueue[str]) -> None:
    queue.add("a", Urgency.RESYNC)
    assert not queue.waits(Urgency.CHANGE)
    queue.add("a", Urgency.FAULT)
    assert queue.waits(Urgency.FAULT)
    assert queue.waits(Urgency.CHANGE)
    queue.take()
    assert not queue.waits(Urgency.RESYNC)


async def test_equals_are_served_in_order_of_arrival(queue: WorkQueue[str]) -> None:
    for key in "dacb":
        queue.add(key)
    assert drain(queue) == list("dacb")


async def test_waiting_key_can_become_more_urgent_but_not_less(queue: WorkQueue[str]) -> None:
    queue.add("a", Urgency.RESYNC)
    queue.add("b", Urgency.CHANGE)
    queue.add("a", Urgency.FAULT)
    queue.add("a", Urgency.RESYNC)
    assert drain(queue) == ["a", "b"]


async def test_key_being_worked_is_not_handed_out_twice(queue: WorkQueue[str]) -> None:
    queue.add("a")
    assert queue.take() == "a"
    queue.add("a")
    assert queue.take() is None


async def test_key_added_while_worked_is_served_once_more_after(queue: WorkQueue[str]) -> None:
    queue.add("a")
    queue.take()
    queue.add("a", Urgency.RESYNC)
    queue.add("a", Urgency.FAULT)
    queue.add("b")
    queue.done("a")
    assert drain(queue) == ["a", "b"], "with the most urgent of its reasons"
    queue.done("a")
    assert queue.take() is None


async def test_earliest_of_several_delays_counts(queue: WorkQueue[str], clock: Clock) -> None:
    for delay in (30, 10, 20):
        queue.add_after("a", delay)
    clock.now += 9.9
    assert queue.take() is None
    clock.now += 0.2
    assert queue.take() == "a"
    queue.done("a")
    clock.now += 100
    assert queue.take() is None


async def test_delay_that_ends_during_work_waits_for_it(
    queue: WorkQueue[str], clock: Clock
) -> None:
    queue.add("a")
    queue.take()
    queue.add_after("a", 5)
    clock.now += 6
    assert queue.take() is None
    queue.done("a")
    assert queue.take() == "a"


# E5
async def test_backoff_doubles_per_key_up_to_five_seconds_until_forgotten(
    queue: WorkQueue[str],
) -> None:
    waits = [queue.backoff("a") for _ in range(12)]
    for wait, base in zip(waits, [0.05 * 2**n for n in range(12)], strict=True):
        assert 0.8 * min(base, 4) <= wait <= 1.2 * min(base, 4)
    assert queue.backoff("b") < 0.07
    queue.forget("a")
    assert queue.backoff("a") < 0.07


async def test_get_wakes_for_a_key_and_for_a_delay() -> None:
    queue: WorkQueue[str] = WorkQueue()
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add("a")
    assert await asyncio.wait_for(waiting, 1) == "a"
    queue.add_after("b", 0.01)
    assert await asyncio.wait_for(queue.get(), 1) == "b"


async def test_several_workers_share_the_keys() -> None:
    queue: WorkQueue[str] = WorkQueue()
    workers = [asyncio.create_task(queue.get()) for _ in range(3)]
    await asyncio.sleep(0)
    for key in "abc":
        queue.add(key)
    assert sorted(await asyncio.wait_for(asyncio.gather(*workers), 1)) == ["a", "b", "c"]


async def test_cancelled_worker_loses_no_key(queue: WorkQueue[str]) -> None:
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    queue.add("a")
    assert queue.take() == "a"


async def test_backoff_stays_at_its_cap(queue: WorkQueue[str]) -> None:
    for _ in range(1100):
        assert queue.backoff("a") <= 5


# E5
async def test_failed_rollback_is_tried_again_within_two_seconds(queue: WorkQueue[str]) -> None:
    queue.add("a", Urgency.FAULT)
    queue.take()
    assert max(queue.backoff("a") for _ in range(50)) <= 2


async def test_many_failing_keys_of_one_share_lengthen_the_backoff_of_these_alone(
    shared: WorkQueue[Key],
) -> None:
    for _ in range(10):
        waits = [shared.backoff(("crowd", str(n))) for n in range(2000)]
        assert shared.backoff(("other", "a")) <= 5
    assert sum(1 / wait for wait in waits) <= 110, "retries per second"
    for n in range(2000):
        shared.forget(("crowd", str(n)))
    assert all(shared.backoff(("crowd", "0")) <= 5 for _ in range(20))


async def test_failing_rollback_keeps_its_urgency(queue: WorkQueue[str], clock: Clock) -> None:
    queue.add("rollback", Urgency.FAULT)
    queue.take()
    queue.backoff("rollback")
    queue.done("rollback")
    clock.now += 1
    queue.add("change", Urgency.CHANGE)
    assert queue.take() == "rollback"


async def test_worker_for_rollbacks_leaves_all_else() -> None:
    queue: WorkQueue[str] = WorkQueue()
    express = asyncio.create_task(queue.get(Urgency.FAULT))
    await asyncio.sleep(0)
    queue.add("change")
    await asyncio.sleep(0.01)
    assert not express.done()
    queue.add("rollback", Urgency.FAULT)
    assert await asyncio.wait_for(express, 1) == "rollback"
    assert queue.take() == "change"


async def test_waiting_key_that_becomes_a_rollback_wakes_the_worker_for_these() -> None:
    queue: WorkQueue[str] = WorkQueue()
    express = asyncio.create_task(queue.get(Urgency.FAULT))
    await asyncio.sleep(0)
    queue.add("a")
    queue.add("a", Urgency.FAULT)
    assert await asyncio.wait_for(express, 1) == "a"


async def test_call_to_a_cancelled_worker_is_passed_to_another() -> None:
    queue: WorkQueue[str] = WorkQueue()
    first, second = (asyncio.create_task(queue.get()) for _ in range(2))
    await asyncio.sleep(0)
    queue.add("a")
    first.cancel()
    assert await asyncio.wait_for(second, 1) == "a"
    assert first.cancelled()


async def test_waiter_for_a_later_delay_notices_an_earlier_one() -> None:
    queue: WorkQueue[str] = WorkQueue()
    queue.add_after("far", 60)
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.add_after("near", 0.01)
    assert await asyncio.wait_for(waiting, 1) == "near"


async def test_backoff_waits_as_long_as_the_server_asks_and_a_jitter(
    queue: WorkQueue[str],
) -> None:
    waits = {queue.backoff(str(n), at_least=7.0) for n in range(20)}
    assert 7.0 <= min(waits) < max(waits) <= 8.4
    assert queue.backoff("a", at_least=1e9) <= 72


async def test_starved_time_grows_while_due_keys_wait(queue: WorkQueue[str], clock: Clock) -> None:
    clock.now += 100
    assert queue.starved_for() == 0
    queue.add("a")
    queue.add_after("b", 5)
    clock.now += 10
    assert queue.starved_for() == 10
    queue.take()
    assert queue.starved_for() == 0
    clock.now += 3
    assert queue.take() == "b"
    clock.now += 3
    assert queue.starved_for() == 0


# H7
@rule("R31")
@pytest.mark.parametrize("urgency", list(Urgency))
async def test_key_waits_for_one_key_of_each_other_namespace_at_most(
    clock: Clock, urgency: Urgency
) -> None:
    queue: WorkQueue[Key] = WorkQueue(Timing(clock=clock), share=lambda key: key[0])
    for n in range(5000):
        queue.add(("crowd", str(n)), urgency)
    queue.add(("few", "0"), urgency)
    queue.add(("other", "0"), urgency)
    queue.add(("few", "1"), urgency)
    taken = [queue.take() for _ in range(6)]
    assert taken == [
        ("crowd", "0"),
        ("few", "0"),
        ("other", "0"),
        ("crowd", "1"),
        ("few", "1"),
        ("crowd", "2"),
    ]


# H7
@rule("R31")
async def test_namespace_that_never_finishes_leaves_workers_to_others(
    shared: WorkQueue[Key],
) -> None:
    for share in ("slow", "slower"):
        for n in range(100):
            shared.add((share, str(n)))
    held = list(iter(shared.take, None))
    assert [key[0] for key in held].count("slow") == 4
    assert len(held) == 7
    shared.add(("other", "0"))
    assert shared.take() == ("other", "0")
    assert shared.take() is None
    for key in held:
        if key[0] == "slow":
            shared.done(key)
    assert shared.take() is not None


# H7
@rule("R31")
async def test_slow_changes_of_a_namespace_leave_workers_to_its_own_rollbacks(
    shared: WorkQueue[Key],
) -> None:
    for n in range(100):
        shared.add(("slow", str(n)))
    held = list(iter(shared.take, None))
    assert len(held) == 5
    shared.add(("slow", "failed"), Urgency.FAULT)
    assert shared.take() == ("slow", "failed")


@rule("R31")
async def test_keys_blocked_by_their_namespace_do_not_delay_status_of_others(
    shared: WorkQueue[Key],
) -> None:
    for n in range(100):
        shared.add(("slow", str(n)))
    list(iter(shared.take, None))
    shared.add(("other", "0"))
    assert shared.waits(Urgency.CHANGE)
    assert shared.take() == ("other", "0")
    assert not shared.waits(Urgency.CHANGE)


@rule("R31")
async def test_finished_worker_wakes_a_waiter_of_the_same_namespace() -> None:
    queue: WorkQueue[Key] = WorkQueue(share=lambda key: key[0], workers=2)
    for n in range(3):
        queue.add(("a", str(n)))
    first = await queue.get()
    waiting = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    assert not waiting.done(), "the second worker is kept free for others"
    queue.done(first)
    assert await asyncio.wait_for(waiting, 1) == ("a", "1")


@rule("R31")
async def test_changes_get_every_tenth_turn_when_rollbacks_of_others_never_end(
    clock: Clock,
) -> None:
    queue: WorkQueue[Key] = WorkQueue(Timing(clock=clock), share=lambda key: key[0])
    for n in range(100):
        queue.add(("crowd", str(n)), Urgency.FAULT)
    for n in range(2):
        queue.add(("other", str(n)), Urgency.CHANGE)
    clock.now += 11
    taken = [(queue.take() or ("", ""))[0] for _ in range(20)]
    assert taken == [*["crowd"] * 9, "other"] * 2


async def test_queue_keeps_nothing_of_keys_that_are_done(
    shared: WorkQueue[Key], clock: Clock
) -> None:
    for n in range(300):
        key = (f"namespace-{n}", "a")
        shared.add(key, Urgency(n % 4))
        assert shared.take() == key
        shared.backoff(key)
        shared.add(key)
        shared.done(key)
        clock.now += 1
        assert shared.take() == key
        shared.forget(key)
        shared.done(key)
        clock.now += 10
        while (again := shared.take()) is not None:
            shared.done(again)
    kept = [value for value in vars(shared).values() if isinstance(value, (dict, list))]
    assert [each for each in kept if each and each is not shared._lanes] == []
