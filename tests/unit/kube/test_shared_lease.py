"""Several leaders of one Lease: no model is ever decided by two, and none is left without one."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import Coroutine
from typing import Any

import pytest

from canarium.kube.shards import leaders_of
from canarium.kube.shared_lease import SharedLease
from kube.leaders import NAMESPACES, Replica, World
from sweep import every

#: Seconds until a dead leader's shards are taken: the Lease, and an attempt before and after it.
FAILOVER = 15.0 + 2 * 2.0 + 1.0
#: Seconds until shares are equal again, with the slowest of the clocks.
EQUAL = 2 * FAILOVER + 2 * 15.0
FAULTS = ("kill", "stop", "pause", "pause", "start", "start", "outage", "slow", "losses", "late")


def run(world: World, story: Coroutine[Any, Any, None]) -> None:
    async def whole() -> None:
        await story
        for replica in world.living:
            replica.awake.set()
            await replica.stop()
        rest = asyncio.all_tasks() - {asyncio.current_task()}
        for task in rest:
            task.cancel()
        await asyncio.gather(*rest, return_exceptions=True)

    try:
        world.loop.run(whole())
    finally:
        world.loop.close()
    assert not world.faults, "\n".join(world.faults[:5])


def shares(world: World) -> list[int]:
    return sorted(
        len(one.lease.shards) for one in world.living if isinstance(one.lease, SharedLease)
    )


async def faulty(world: World, count: int, chance: random.Random) -> None:
    """Something happens to a replica or to the API server."""
    match chance.choice(FAULTS):
        case "kill" if len(world.living) > 1:
            chance.choice(world.living).kill()
        case "stop" if len(world.living) > 1:
            await chance.choice(world.living).stop()
        case "pause":
            asyncio.create_task(pause(chance.choice(world.living), chance.uniform(1, 60)))  # noqa: RUF006
        case "start" if len(world.living) < 5:
            world.start(count)
        case "outage":
            world.server.up.clear()
            await asyncio.sleep(chance.uniform(1, 30))
            world.server.up.set()
        case "slow":
            world.server.latency = chance.choice([0.02, 0.5, 4.0])
        case "losses":
            world.server.losses = chance.choice([0.0, 0.1, 0.5])
        case "late":
            world.server.late = chance.choice([0.0, 0.1, 0.3])


async def pause(replica: Replica, seconds: float) -> None:
    replica.awake.clear()
    await asyncio.sleep(seconds)
    replica.awake.set()


async def calm(world: World) -> None:
    world.server.up.set()
    world.server.latency, world.server.losses, world.server.late = 0.02, 0.0, 0.0
    for replica in world.living:
        replica.awake.set()
    await asyncio.sleep(70)  # The longest pause.
    await asyncio.sleep(EQUAL)


@pytest.mark.parametrize("seed", every(range(24)))
def test_no_model_is_ever_decided_by_two(seed: int) -> None:
    world = World(seed)
    chance = random.Random(seed)
    count = chance.choice([2, 4, 7])

    async def story() -> None:
        for _ in range(3):
            world.start(count)
        for _ in range(40):
            await asyncio.sleep(chance.uniform(1, 25))
            await faulty(world, count, chance)
        await calm(world)
        assert all(len(world.leaders(one)) == 1 for one in NAMESPACES)
        assert sum(shares(world)) == count
        assert max(shares(world)) - min(shares(world)) <= 1

    run(world, story())
    assert sum(replica.writes for replica in world.replicas) > 1000


@pytest.mark.parametrize("seed", every(range(12)))
def test_leaders_of_another_number_of_shards_never_decide_beside_them(seed: int) -> None:
    world = World(seed)
    chance = random.Random(seed)

    async def story() -> None:
        count = 4
        for _ in range(2):
            world.start(count)
        await asyncio.sleep(30)
        for _ in range(4):
            old = list(world.living)
            count = chance.choice([one for one in (1, 2, 3, 4) if one != count])
            # As a rolling update does: the new ones stand by while the old ones end one by one.
            for _ in range(2):
                world.start(count)
                await asyncio.sleep(chance.uniform(0, 20))
            for replica in old:
                if chance.random() < 0.3:
                    asyncio.create_task(pause(replica, chance.uniform(1, 40)))  # noqa: RUF006
                await asyncio.sleep(chance.uniform(0, 20))
                world.server.losses = chance.choice([0.0, 0.0, 0.3])
                if chance.random() < 0.5:
                    replica.kill()
                else:
                    replica.awake.set()
                    await replica.stop()
            await calm(world)
            assert all(len(world.leaders(one)) == 1 for one in NAMESPACES)

    run(world, story())


def test_killed_leader_is_replaced_within_the_lease() -> None:
    world = World(1)

    async def story() -> None:
        first, second = world.start(4), world.start(4)
        await asyncio.sleep(EQUAL)
        assert shares(world) == [2, 2]
        assert isinstance(second.lease, SharedLease)
        kept = second.lease.shards
        first.kill()
        await asyncio.sleep(FAILOVER)
        assert shares(world) == [4]
        assert kept < second.lease.shards
        world.start(4)
        await asyncio.sleep(EQUAL)
        assert shares(world) == [2, 2]

    run(world, story())


def test_restarted_container_takes_the_shards_of_its_predecessor_at_once() -> None:
    world = World(1)

    async def story() -> None:
        first = world.start(4)
        await asyncio.sleep(5)
        first.kill()
        second = world.start(4)
        assert isinstance(second.lease, SharedLease)
        object.__setattr__(second.lease._identity, "pod", first.name)
        await asyncio.sleep(1)
        assert shares(world) == [4]

    run(world, story())


def test_last_leader_that_stops_lets_another_number_of_shards_in_at_once() -> None:
    world = World(1)

    async def story() -> None:
        old = [world.start(4), world.start(4)]
        await asyncio.sleep(EQUAL)
        new = world.start(1)
        await asyncio.sleep(20)
        await old[0].stop()
        await asyncio.sleep(20)
        assert not new.leads("risk"), "one of the old leaders remains"
        await old[1].stop()
        await asyncio.sleep(2.5)
        assert new.leads("risk")
        again = world.start(2)
        await new.stop()
        await asyncio.sleep(2.5)
        assert all(again.leads(one) for one in NAMESPACES)
        assert world.server.lease is not None
        records = leaders_of(world.server.lease["metadata"]["annotations"])
        assert records.keys() == {again.name}

    run(world, story())


def test_shards_move_only_after_the_leaders_have_been_the_same_for_a_while() -> None:
    world = World(1)

    async def story() -> None:
        world.start(4)
        await asyncio.sleep(10)
        world.start(4)
        await asyncio.sleep(20)
        assert shares(world) == [0, 4]
        await asyncio.sleep(20)
        assert shares(world) == [2, 2]

    run(world, story())


def test_shard_is_not_handed_over_while_a_decision_about_it_is_under_way() -> None:
    world = World(1)

    async def story() -> None:
        first = world.start(2)
        await asyncio.sleep(10)
        lease, done = first.lease, asyncio.Event()
        assert isinstance(lease, SharedLease)

        async def finish(shards: Any) -> None:
            await done.wait()

        lease.finish = finish
        second = world.start(2)
        await asyncio.sleep(EQUAL)
        assert len(lease.shards) == 1, "nothing new is decided"
        assert all(first.left(one) > 0 for one in NAMESPACES), "what is under way may be written"
        assert shares(world) == [0, 1]
        done.set()
        await asyncio.sleep(5)
        assert shares(world) == [1, 1]
        assert Counter(len(world.leaders(one)) for one in NAMESPACES) == {1: len(NAMESPACES)}
        assert second.writes > 0

    run(world, story())


def test_leader_without_an_answer_to_a_renewal_stays_one() -> None:
    world = World(1)

    async def story() -> None:
        first = world.start(4)
        await asyncio.sleep(10)
        world.server.losses = 1.0
        await asyncio.sleep(2.1)
        world.server.losses = 0.0
        await asyncio.sleep(12)
        assert not first.lease.lost.is_set()
        assert shares(world) == [4]

    run(world, story())


def test_writes_are_allowed_from_when_the_renewal_was_sent() -> None:
    world = World(1)
    world.server.latency = 3.0

    async def story() -> None:
        first = world.start(4)
        sent = 0.0
        while not first.left("risk"):
            if len(world.server.requests) < 2:
                sent = world.loop.time()  # No later than the request arrived.
            await asyncio.sleep(0.01)
        answered = world.loop.time() - sent
        assert answered > 0.2
        assert first.left("risk") <= (10 - answered) * 1.03

    run(world, story())


@pytest.mark.parametrize("holder", ["2 shards", "another-operator", ""])
def test_leader_notices_at_its_next_renewal_that_the_lease_has_another_holder(holder: str) -> None:
    world = World(1)

    async def story() -> None:
        first = world.start(4)
        await asyncio.sleep(10)
        assert world.server.lease is not None
        # Its record stays: a Lease that is not shared keeps all annotations.
        world.server.lease["spec"]["holderIdentity"] = holder
        lost = asyncio.create_task(first.lease.lost.wait())
        await asyncio.wait([lost], timeout=2.5)
        assert lost.done()

    run(world, story())


def test_leader_ends_when_its_lease_was_deleted() -> None:
    world = World(1)

    async def story() -> None:
        first = world.start(4)
        await asyncio.sleep(10)
        world.server.lease = None
        lost = asyncio.create_task(first.lease.lost.wait())
        await asyncio.wait([lost], timeout=2.5)
        assert lost.done()

    run(world, story())


def test_settled_leader_sends_one_request_per_renewal() -> None:
    world = World(1)

    async def story() -> None:
        world.start(4)
        world.start(4)
        await asyncio.sleep(EQUAL)
        world.server.requests.clear()
        await asyncio.sleep(20)
        assert set(world.server.requests) == {"json_patch"}
        assert 16 <= len(world.server.requests) <= 21

    run(world, story())


def test_slow_api_server_loses_no_leader_by_conflicts() -> None:
    world = World(1)
    lost: list[str] = []

    async def story() -> None:
        for _ in range(5):
            world.start(7)
        await asyncio.sleep(EQUAL)
        world.server.latency = 2.0
        for _ in range(300):
            await asyncio.sleep(1)
            lost.extend(one.name for one in world.living if one.lease.lost.is_set())
        assert not lost

    run(world, story())
