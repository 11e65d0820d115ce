"""The API server or etcd itself fails in the middle of rollouts; the end is as without.

One operator manages all models: four at different stages when it happens, two done before.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
import pytest_asyncio

from canarium.kube.http import Client
from integration.conftest import SHORT_LEASE, control_plane
from integration.killable_operator import KillableOperator
from integration.kubelet import Kubelet
from integration.scenarios import BAD, Scenario, rollback, rollout, touched
from sandbox.controlplane import ControlPlane

rule = pytest.mark.rule
#: Long enough for a slow machine's API server to start again.
LONG_LEASE = ("--lease-duration=60", "--lease-renew=45", "--lease-retry=0.5")
_SLOWLY = {
    "steps": [{"weight": 25, "pause": "2s"}, {"weight": 50, "pause": "500ms"}],
    "bakeTime": "1s",
}
_BAKING = {"steps": [], "bakeTime": "6s"}


class Stages:
    """Models of one operator: in smoke tests, at a weight, baking, failing; and two that ended."""

    def __init__(self, plane: ControlPlane, client: Client) -> None:
        self.plane = plane
        self.scenarios = [Scenario(plane, client) for _ in range(6)]
        self.operator: KillableOperator

    async def begin(self, *flags: str) -> None:
        await asyncio.gather(*(scenario.begin(own=False) for scenario in self.scenarios))
        names = [w for s in self.scenarios for w in ("--namespace", s.namespace)]
        lease = ("--lease-namespace", self.scenarios[0].namespace)
        log = self.scenarios[0].log
        self.operator = KillableOperator(self.plane.kubeconfig, log, *names, *lease, *flags)
        # Every wait keeps it alive.
        for scenario in self.scenarios:
            scenario.operator = self.operator

    async def survives(self, outage: Callable[[], Awaitable[None]]) -> None:
        """Brings each to its stage, lets the outage happen, and compares the ends."""
        testing, weight, bake, failing, done, failed = self.scenarios
        early = (testing, weight, bake, failing)
        await asyncio.gather(*(s.apply("1") for s in early))
        wanted, back, *_ = await asyncio.gather(
            rollout(done), rollback(failed), *(s.phase("Ready", "1") for s in early)
        )
        await bake.apply("2", rollout=_BAKING)
        await asyncio.gather(
            bake.until(bake.cluster.phase("Baking", "2", seconds=60)),
            weight.apply("2", rollout=_SLOWLY),
        )
        await weight.weight(25)
        await asyncio.gather(testing.apply("2"), failing.apply("2", podTemplate=BAD))
        await outage()
        await asyncio.gather(
            *(s.phase("Ready", "2") for s in (testing, weight, bake)),
            failing.phase("RolledBack", "1"),
        )
        for scenario in (testing, weight):
            assert await scenario.left() == wanted
        # One without steps was created with all its pods and never scaled.
        (name, (generation, spec)), *more = (await bake.left())["deployments"].items()
        assert (generation, more, {name: spec}) == (
            1,
            [],
            {name: spec for name, (_, spec) in wanted["deployments"].items()},
        )
        assert await failing.left() == back
        writes = touched(self.plane)
        for scenario, like in ((testing, done), (weight, done), (failing, failed)):
            assert writes[scenario.namespace] == writes[like.namespace]

    async def end(self) -> None:
        for scenario in self.scenarios:
            scenario.operator = None
            await scenario.end()
        await asyncio.to_thread(self.operator.stop)


@pytest.fixture(scope="module")
def plane(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A separate one: after an outage an API server may leave watches silent for longer than
    later tests wait."""
    with control_plane(tmp_path_factory.mktemp("outages")) as plane:
        yield plane


@pytest_asyncio.fixture
async def stages(plane: ControlPlane, request: pytest.FixtureRequest) -> AsyncIterator[Stages]:
    async with Client.connect(str(plane.kubeconfig)) as client, Kubelet(client).running():
        stages = Stages(plane, client)
        await stages.begin(*request.param)
        yield stages
        await stages.end()


def indirect(lease: tuple[str, ...]) -> Any:
    return pytest.mark.parametrize("stages", [lease], indirect=True, ids=[""])


@rule("R8", "R9", "R18")
@indirect(LONG_LEASE)
async def test_killed_api_server_changes_no_result(plane: ControlPlane, stages: Stages) -> None:
    async def killed() -> None:
        plane.part("apiserver").kill()
        await asyncio.sleep(3)
        await asyncio.to_thread(plane.start_apiserver)
        # A watch that begins while the server's storage does may stay silent: ours is replaced
        # after 90 s, but Kubernetes' own controllers would wait for minutes.
        await asyncio.to_thread(plane.part("controller-manager").restart)

    await stages.survives(killed)
    assert stages.operator.exits == []


@rule("R8", "R9", "R18")
@indirect(SHORT_LEASE)
async def test_etcd_stopped_for_longer_than_the_lease_changes_no_result(
    plane: ControlPlane, stages: Stages
) -> None:
    async def paused() -> None:
        plane.part("etcd").pause()
        try:
            await asyncio.sleep(6)
        finally:
            plane.part("etcd").resume()

    await stages.survives(paused)
    assert stages.operator.exits, "without a renewed lease it must not write"
