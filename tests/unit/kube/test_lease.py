"""Leader election against a server that stores one Lease."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from canarium.kube.clock import Timing
from canarium.kube.identity import Identity
from canarium.kube.lease import Lease
from idle import SleepingClock

PATH = "/apis/coordination.k8s.io/v1/namespaces/ns/leases/leader"


def candidate(client: Any, identity: str = "a", pod: str = "", **options: Any) -> Lease:
    return Lease(client, "ns", "leader", Identity(identity, pod), **options)


def holder(api: Any) -> str:
    return str(api.objects[PATH]["spec"]["holderIdentity"])


QUICK = {"duration": 0.2, "renew": 0.08, "retry": 0.01}


async def test_first_candidate_creates_the_lease(api: Any, client: Any) -> None:
    lease = candidate(client)
    await lease.acquire()
    assert holder(api) == "a"
    assert not lease.lost.is_set()
    await lease.release()


async def test_release_lets_a_successor_in_at_once(api: Any, client: Any) -> None:
    first, time = candidate(client), SleepingClock()
    await first.acquire()
    await first.release()
    assert holder(api) == ""
    second = candidate(client, "b", timing=Timing(clock=time))
    await second.acquire()
    assert (holder(api), time.now) == ("b", 0.0)
    assert api.objects[PATH]["spec"]["leaseTransitions"] == 1
    await second.release()


async def test_dead_holder_is_waited_for_by_our_own_clock(api: Any, client: Any) -> None:
    # Its renewTime lies in the far future: by comparing clocks it would never expire.
    spec = {"holderIdentity": "dead", "leaseDurationSeconds": 15, "renewTime": "2999-01-01"}
    api.put(PATH, spec=spec)
    time = SleepingClock()
    lease = candidate(client, timing=Timing(clock=time, sleep=time.sleep))
    await lease.acquire()
    assert holder(api) == "a"
    assert 15 <= time.now <= 17
    lease._sleep = asyncio.sleep
    await lease.release()


async def test_restarted_container_takes_the_lease_of_its_predecessor_at_once(
    api: Any, client: Any
) -> None:
    api.put(PATH, spec={"holderIdentity": "pod-1_4f1c_dead", "leaseDurationSeconds": 15})
    time = SleepingClock()
    timing = Timing(clock=time, sleep=time.sleep)
    lease = candidate(client, "pod-1_4f1c_b", pod="pod-1_4f1c_", timing=timing)
    await lease.acquire()
    assert (holder(api), time.now) == ("pod-1_4f1c_b", 0.0)
    lease._sleep = asyncio.sleep
    await lease.release()


@pytest.mark.parametrize(
    ("holding", "pod"),
    [("pod-2_4f1c_dead", "pod-1_4f1c_"), ("pod-1_77aa_dead", "pod-1_4f1c_"), ("pod-1_dead", "")],
)
async def test_lease_of_another_pod_must_expire(
    api: Any, client: Any, holding: str, pod: str
) -> None:
    api.put(PATH, spec={"holderIdentity": holding, "leaseDurationSeconds": 15})
    time = SleepingClock()
    lease = candidate(client, f"{pod}b", pod, timing=Timing(clock=time, sleep=time.sleep))
    await lease.acquire()
    assert time.now >= 15
    lease._sleep = asyncio.sleep
    await lease.release()


async def test_holder_that_renews_is_never_displaced(api: Any, client: Any) -> None:
    api.put(PATH, spec={"holderIdentity": "other", "renewTime": "0"})
    time = SleepingClock()

    async def sleep(seconds: float) -> None:
        await time.sleep(seconds)
        if time.now > 100:
            raise asyncio.CancelledError
        api.put(PATH, spec={"holderIdentity": "other", "renewTime": str(time.now)})

    patient = candidate(client, timing=Timing(clock=time, sleep=sleep))
    waiting = asyncio.create_task(patient.acquire())
    await asyncio.wait([waiting], timeout=5)
    assert waiting.cancelled()
    assert holder(api) == "other"


async def test_unreachable_server_loses_the_lease_by_the_deadline(api: Any, client: Any) -> None:
    lease = candidate(client, **QUICK)
    await lease.acquire()
    api.down = True
    await asyncio.wait_for(lease.lost.wait(), 1)
    api.down = False
    await lease.release()
    assert holder(api) == "a", "a lost lease is not ours to empty"


async def test_short_outage_does_not_lose_the_lease(api: Any, client: Any) -> None:
    lease = candidate(client, **{**QUICK, "duration": 20.0, "renew": 10.0})
    await lease.acquire()
    api.faults = [api.status(500, "InternalError"), api.status(409, "Conflict")]
    renewals = api.version
    async with asyncio.timeout(5):
        while api.faults or api.version == renewals:  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    assert not lease.lost.is_set()
    await lease.release()


async def test_lease_taken_by_another_is_lost_at_once(api: Any, client: Any) -> None:
    lease = candidate(client, **{**QUICK, "duration": 60.0, "renew": 30.0})
    await lease.acquire()
    api.put(PATH, spec={"holderIdentity": "other", "renewTime": "x"})
    await asyncio.wait_for(lease.lost.wait(), 1)
    await lease.release()
    assert holder(api) == "other"


async def test_release_empties_a_lease_whose_last_renewal_was_not_observed(
    api: Any, client: Any
) -> None:
    lease = candidate(client)
    await lease.acquire()
    api.put(PATH, spec=api.objects[PATH]["spec"])  # arrived, but its answer did not
    await lease.release()
    assert holder(api) == ""


async def test_release_tries_again_when_a_late_renewal_interferes(api: Any, client: Any) -> None:
    lease = candidate(client)
    await lease.acquire()
    replace, calls = client.replace, 0

    async def late(*args: Any) -> Any:
        nonlocal calls
        calls += 1
        if calls == 1:
            api.put(PATH, spec=api.objects[PATH]["spec"])
        return await replace(*args)

    client.replace = late
    await lease.release()
    assert (holder(api), calls) == ("", 2)


async def test_malformed_response_loses_the_lease(api: Any, client: Any) -> None:
    lease = candidate(client, **QUICK)
    await lease.acquire()

    async def nonsense(*args: Any) -> Any:
        return {"spec": {"holderIdentity": "a", "leaseTransitions": "many"}}

    client.get = nonsense
    await asyncio.wait_for(lease.lost.wait(), 1)
    await lease.release()


async def test_writes_are_allowed_until_the_deadline_of_the_last_renewal(
    api: Any, client: Any
) -> None:
    time = SleepingClock()
    asleep = asyncio.Event()

    async def sleep(seconds: float) -> None:
        await asleep.wait()

    lease = candidate(client, timing=Timing(clock=time, sleep=sleep))
    assert lease.left() <= 0
    await lease.acquire()
    assert lease.left() == 10
    time.now += 4
    assert lease.left() == 6
    # The process is stopped for longer than the lease lasts: its timers are late.
    time.now += 20
    assert lease.left() < 0
    assert not lease.lost.is_set()
    await lease.release()
    assert lease.left() <= 0


async def test_age_reveals_a_stuck_renewer(api: Any, client: Any) -> None:
    time = SleepingClock()
    lease = candidate(client, timing=Timing(clock=time, sleep=time.sleep))
    await lease.acquire()
    lease._task.cancel()  # type: ignore[union-attr]
    time.now += 60
    assert lease.age() >= 60
