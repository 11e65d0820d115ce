"""Who may write: two operators and one Lease."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
import pytest_asyncio

from canarium.kube.identity import POD_UID
from canarium.kube.resources import DEPLOYMENTS, LEASES
from integration.conftest import SHORT_LEASE, Cluster, Operator
from integration.scenarios import touched


async def until(true: Any, seconds: float = 90) -> None:
    async with asyncio.timeout(seconds):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.05)


class Pair:
    """Two operators of one namespace; the first leads, the second stands by."""

    def __init__(self, cluster: Cluster, lease: tuple[str, ...]) -> None:
        self.cluster = cluster
        namespace = cluster.namespace
        flags = ("--namespace", namespace, "--lease-namespace", namespace, *lease)
        flags += ("--metrics-port", "0")
        folder, kubeconfig = cluster.plane.folder.parent, cluster.plane.kubeconfig
        self.first, self.second = (
            Operator(kubeconfig, folder / f"{namespace}-{name}.log", *flags) for name in "ab"
        )

    async def up(self) -> None:
        self.first.start()
        await until(lambda: self.first.said("leading"))
        self.second.start()
        await until(lambda: self.second.said("standing by"))

    async def holder(self) -> str:
        lease = await self.cluster.client.get(LEASES, self.cluster.namespace, "canarium")
        return str(lease["spec"]["holderIdentity"])

    def writes(self, identity: str) -> list[str]:
        """Times at which the operator's writes of models reached the API server.

        Events change nothing. One follows each status, so it may be on its way when a process is
        stopped, and arrives when that continues.
        """
        return [
            e["requestReceivedTimestamp"]
            for e in self.cluster.writes()
            if f"({identity})" in e["userAgent"]
            and e["objectRef"]["resource"] not in ("leases", "events")
        ]

    async def alone(self, but: str) -> None:
        """Waits until one Deployment is left, and not the one of the name `but`."""
        names = [but]
        async with asyncio.timeout(30):
            while len(names) != 1 or but in names:
                await asyncio.sleep(0.1)
                found = await self.cluster.children(DEPLOYMENTS)
                names = [d["metadata"]["name"] for d in found]

    async def serving(self) -> str:
        """The name of the only Deployment that there is."""
        (found,) = await self.cluster.children(DEPLOYMENTS)
        return str(found["metadata"]["name"])

    def touches(self, deployment: str) -> set[tuple[str, str]]:
        """What either operator did to a Deployment that was there: verb and subresource."""
        done = touched(self.cluster.plane)[self.cluster.namespace]
        return {(verb, part) for verb, name, part in done if name == deployment} - {("create", "")}


async def series_of_models(operator: Operator) -> list[str]:
    """The samples of an operator's metrics that name a model, without their values."""
    port = re.findall(r"metrics at :(\d+)/metrics", operator.text())[-1]
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/metrics") as answer,
    ):
        lines = (await answer.text()).splitlines()
    # The names of controller-runtime have a label of that name too: of the controller's queue.
    ours = (line for line in lines if line.startswith("canarium_"))
    return [line.rpartition(" ")[0] for line in ours if ',name="' in line]


#: Longer than any wait of these tests.
LONG_LEASE = ("--lease-duration=300", "--lease-renew=200", "--lease-retry=0.3")


@pytest_asyncio.fixture
async def pair(cluster: Cluster, request: pytest.FixtureRequest) -> AsyncIterator[Pair]:
    # The operator of all namespaces would do the work of both.
    cluster.operator.stop()
    pair = Pair(cluster, getattr(request, "param", SHORT_LEASE))
    await pair.up()
    yield pair
    for operator in (pair.first, pair.second):
        operator.stop(signal.SIGKILL)
    # Killed, they released nothing: the operator of all namespaces would wait for its end.
    cluster.plane.kubectl("-n", cluster.namespace, "delete", "lease", "--all")
    cluster.operator.start()


@pytest.mark.parametrize("pair", [LONG_LEASE], indirect=True, ids=["long lease"])
async def test_released_lease_is_taken_at_once(pair: Pair) -> None:
    await asyncio.to_thread(pair.first.stop)
    await until(lambda: pair.second.said("leading"))


@pytest.mark.parametrize("pair", [LONG_LEASE], indirect=True, ids=["long lease"])
async def test_leader_whose_container_was_killed_leads_again_at_once(pair: Pair) -> None:
    # The chart passes the UID of the pod; the standby is another pod.
    pair.first.environment = {POD_UID: "4f1c2b3a-0d4e-4e52-9a55-0a4a2c9b8d11"}
    pair.second.stop(signal.SIGKILL)
    pair.first.stop()
    pair.first.start()
    await until(lambda: pair.first.said("leading"))
    pair.second.start()
    await until(lambda: pair.second.said("standing by"))
    killed = await pair.holder()

    pair.first.stop(signal.SIGKILL)
    pair.first.start()
    await until(lambda: pair.first.said("leading"))
    assert await pair.holder() != killed
    pair.cluster.apply("1")
    await pair.cluster.phase("Ready", "1", seconds=60)
    assert not pair.second.said("leading")


async def test_killed_leader_is_replaced_within_the_lease_and_its_work_continues(
    pair: Pair,
) -> None:
    pair.cluster.apply("1")
    await pair.cluster.phase("Ready", "1")
    first = await pair.serving()
    labels = f'namespace="{pair.cluster.namespace}",name="fraud",phase="Ready"'
    phase = f"canarium_modeldeployment_phase{{{labels}}}"
    assert phase in await series_of_models(pair.first)
    assert await series_of_models(pair.second) == [], "only the leader names models"
    pair.cluster.apply("2")
    await pair.cluster.until(lambda s: (s.get("weight") or 0) >= 25)
    pair.first.stop(signal.SIGKILL)
    # Three seconds of the lease since its last renewal was seen, and one attempt more; the rest
    # is for a machine under load.
    await until(lambda: pair.second.said("leading"), seconds=15)
    await pair.cluster.phase("Ready", "2", seconds=60)
    await pair.alone(but=first)
    assert pair.touches(first) == {("delete", "")}, "what served was not touched before its end"
    assert pair.touches(await pair.serving()) == {("patch", "scale")}
    assert phase in await series_of_models(pair.second)
    pair.cluster.plane.kubectl("-n", pair.cluster.namespace, "delete", "modeldeployment", "--all")
    async with asyncio.timeout(30):
        while await series_of_models(pair.second):  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def test_leader_that_was_stopped_for_too_long_writes_nothing_more_and_exits(
    pair: Pair,
) -> None:
    cluster = pair.cluster
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    old, first = await pair.holder(), await pair.serving()
    # In the middle of a rollout, with writes due at every moment.
    cluster.apply("2")
    await cluster.until(lambda s: (s.get("weight") or 0) >= 25)
    os.kill(pair.first.pid, signal.SIGSTOP)
    await until(lambda: pair.second.said("leading"))
    new = await pair.holder()
    assert old != new
    cluster.apply("3")
    await until(lambda: pair.writes(new))
    os.kill(pair.first.pid, signal.SIGCONT)
    await until(lambda: pair.first.exit_code is not None)
    await cluster.phase("Ready", "3", seconds=60)
    assert max(pair.writes(old)) < min(pair.writes(new)), json.dumps(pair.writes(old)[-3:])
    await pair.alone(but=first)
    assert pair.touches(first) == {("delete", "")}, "what served was not touched before its end"
