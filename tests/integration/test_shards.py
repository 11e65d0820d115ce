"""Several leaders: two operators, four shards, and models in the namespaces of each (0087).

Who wrote is read from the API server's audit log: no namespace is ever written by two at once.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest_asyncio

from canarium.host.scope_conflicts import LEASE
from canarium.kube.resources import LEASES
from canarium.kube.shards import Leader, holder_of, leaders_of, shard_of
from integration import rights
from integration.conftest import SHORT_LEASE, Cluster, Operator
from integration.test_leader_election import series_of_models, until

COUNT = 4
#: A namespace of each shard, and of two shards a second one.
SPACES = 6


@dataclass
class Leaders:
    """Two operators that lead the same namespaces together."""

    first: Operator
    second: Operator
    home: Cluster
    spaces: list[Cluster]

    async def records(self) -> dict[str, Leader]:
        lease = await self.home.client.get(LEASES, self.home.namespace, LEASE)
        assert lease["spec"]["holderIdentity"] in ("", holder_of(COUNT))
        return leaders_of(lease["metadata"]["annotations"])

    async def shares(self, *sizes: int, seconds: float = 60) -> dict[str, Leader]:
        """Waits until the leaders have shares of these sizes, in any order."""
        records: dict[str, Leader] = {}
        async with asyncio.timeout(seconds):
            while sorted(len(one.shards) for one in records.values()) != sorted(sizes):
                await asyncio.sleep(0.05)
                records = await self.records()
        return records

    def roll_out(self, version: str, **spec: Any) -> None:
        for space in self.spaces:
            space.apply(version, **spec)

    async def all_are(self, phase: str, version: str) -> None:
        await asyncio.gather(*(space.phase(phase, version, seconds=90) for space in self.spaces))

    async def under_way(self) -> None:
        """Waits until a rollout in each namespace has moved traffic."""

        def moved(status: dict[str, Any]) -> bool:
            return (status.get("weight") or 0) >= 25

        await asyncio.gather(*(space.until(moved) for space in self.spaces))

    def terms(self, space: Cluster) -> list[tuple[str, str, str]]:
        """Who wrote in a namespace, one after the other: agent, first request and last response.

        Events change nothing and follow a status.
        """
        writes = sorted(
            (one for one in space.writes() if one["objectRef"]["resource"] != "events"),
            key=lambda one: one["requestReceivedTimestamp"],
        )
        return [
            (agent, rows[0]["requestReceivedTimestamp"], max(r["stageTimestamp"] for r in rows))
            for agent, group in itertools.groupby(writes, key=lambda one: one["userAgent"])
            if (rows := list(group))
        ]

    def assert_one_writer_at_a_time(self) -> None:
        for space in self.spaces:
            terms = self.terms(space)
            agents = [agent for agent, *_ in terms]
            assert agents, space.namespace
            assert len(set(agents)) == len(agents), f"{space.namespace}: {terms}"
            for (_, _, last), (_, begun, _) in itertools.pairwise(terms):
                assert last <= begun, f"{space.namespace}: {terms}"


def _names(prefix: str) -> list[str]:
    """Names of which each shard has at least one."""
    names: list[str] = []
    wanted = [*range(COUNT), *range(SPACES - COUNT)]
    for number in itertools.count():
        name = f"{prefix}-{number}"
        if wanted and shard_of(name, COUNT) == wanted[0]:
            names.append(name)
            wanted.pop(0)
        if not wanted:
            return names
    raise AssertionError


@pytest_asyncio.fixture
async def leaders(cluster: Cluster, tmp_path: Path) -> AsyncIterator[Leaders]:
    # The operator of all namespaces would do the work of these.
    cluster.operator.stop()
    plane, home = cluster.plane, cluster.namespace
    names = _names(home)
    for name in names:
        plane.kubectl("create", "namespace", name)
    # Without namespaces, the chart's ClusterRoleBinding would name another account from here on.
    sets = (f"scope.shards={COUNT}", f"scope.namespaces={json.dumps(names)}")
    granted = rights.granted(plane, *sets, namespace=home, into=tmp_path / "kubeconfig")
    flags = [f"--namespace={name}" for name in names]
    flags += [f"--lease-namespace={home}", *SHORT_LEASE, f"--shards={COUNT}", "--metrics-port=0"]
    first, second = (
        Operator(granted, plane.folder.parent / f"{home}-{name}.log", *flags) for name in "ab"
    )
    spaces = [Cluster(plane, cluster.client, cluster.kubelet, second, name) for name in names]
    first.start()
    second.start()
    await until(lambda: first.said("leading") or second.said("leading"))
    yield Leaders(first, second, cluster, spaces)
    for operator in (first, second):
        operator.stop(signal.SIGKILL)
    plane.kubectl("-n", home, "delete", "lease", "--all")
    for name in names:
        plane.kubectl("-n", name, "delete", "modeldeployment", "--all")
    assert rights.Audit(plane, home).forbidden() == set()
    cluster.operator.start()


async def timed(true: Callable[[], Any]) -> float:
    clock = asyncio.get_running_loop().time
    began = clock()
    await true()
    return clock() - began


async def test_killed_leader_is_replaced_and_no_model_is_written_by_two(leaders: Leaders) -> None:
    await leaders.shares(2, 2)
    leaders.roll_out("1")
    await leaders.all_are("Ready", "1")
    named = [set(await series_of_models(one)) for one in (leaders.first, leaders.second)]
    assert all(named), "each leader names models"
    assert not named[0] & named[1], "no model has two series"

    leaders.roll_out("2")
    await leaders.under_way()
    leaders.first.stop(signal.SIGKILL)
    # The rest is for a machine under load.
    took = await timed(lambda: leaders.shares(4, seconds=15))
    print(f"\nThe shards of the killed leader were taken after {took:.1f} s (Lease: 3 s).")
    await leaders.all_are("Ready", "2")

    leaders.first.start()
    await leaders.shares(2, 2)
    leaders.roll_out("3")
    await leaders.all_are("Ready", "3")
    leaders.assert_one_writer_at_a_time()
    writers = {agent for space in leaders.spaces for agent, *_ in leaders.terms(space)}
    assert len(writers) == 3, "the killed one, the other, and its successor"


async def test_leader_that_was_stopped_for_too_long_writes_nothing_more_and_exits(
    leaders: Leaders,
) -> None:
    await leaders.shares(2, 2)
    leaders.roll_out("1")
    await leaders.all_are("Ready", "1")
    # In the middle of rollouts, with writes due at every moment.
    leaders.roll_out("2")
    await leaders.under_way()
    os.kill(leaders.first.pid, signal.SIGSTOP)
    await leaders.shares(4)
    leaders.roll_out("3")
    await asyncio.sleep(1)
    os.kill(leaders.first.pid, signal.SIGCONT)
    await until(lambda: leaders.first.exit_code is not None)
    await leaders.all_are("Ready", "3")
    leaders.assert_one_writer_at_a_time()


async def test_leader_that_ends_hands_its_shards_over_at_once(leaders: Leaders) -> None:
    await leaders.shares(2, 2)
    leaders.roll_out("1")
    await leaders.all_are("Ready", "1")
    leaders.roll_out("2")
    await leaders.under_way()
    await asyncio.to_thread(leaders.first.stop)
    took = await timed(lambda: leaders.shares(4, seconds=5))
    print(f"\nThe shards of the leader that ended were taken after {took:.1f} s.")
    await leaders.all_are("Ready", "2")
    leaders.assert_one_writer_at_a_time()


async def test_operators_of_another_number_of_shards_wait_for_the_last_leader(
    leaders: Leaders, tmp_path: Path
) -> None:
    await leaders.shares(2, 2)
    home = leaders.home.namespace
    names = [f"--namespace={space.namespace}" for space in leaders.spaces]
    flags = (*names, f"--lease-namespace={home}", *SHORT_LEASE)
    alone = Operator(leaders.home.plane.kubeconfig, tmp_path / "alone.log", *flags)
    alone.start()
    try:
        await until(lambda: alone.said("standing by"))
        leaders.roll_out("1")
        await leaders.all_are("Ready", "1")
        leaders.roll_out("2")
        await leaders.under_way()
        await asyncio.to_thread(leaders.first.stop)
        await leaders.shares(4)
        await asyncio.sleep(4)  # Longer than the Lease.
        assert not alone.said("app leading")
        await asyncio.to_thread(leaders.second.stop)
        await until(lambda: alone.said("app leading"), seconds=10)
        for space in leaders.spaces:
            space.operator = alone
        await leaders.all_are("Ready", "2")
        leaders.assert_one_writer_at_a_time()
    finally:
        alone.stop()
