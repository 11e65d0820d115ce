"""The operator is killed (-9) at each of its writes in turn; the end is as without.

Each scenario has its own namespace and operator, without a Lease: the successor starts at
once. Both sweeps run in parallel.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import pytest
import pytest_asyncio

from canarium.kube.http import Client
from integration.kubelet import Kubelet
from integration.scenarios import End, Scenario, rollback, rollout
from sandbox.controlplane import ControlPlane

rule = pytest.mark.rule
_AT_ONCE = 12


@dataclass(frozen=True)
class Sweep:
    """A scenario's end without a death, and the ends of those whose operator was to be killed, by
    the number of the write; `killed` are those that were killed so far."""

    wanted: End
    ends: dict[int, End]
    killed: frozenset[int]

    def proves(self, least: int) -> None:
        for write, end in self.ends.items():
            assert end == self.wanted, f"killed at write {write}"
        # How often counts of pods are written depends on how fast they change, so a scenario may
        # have fewer writes than the one that was counted: its last kills then do not happen.
        assert len(self.killed) >= least
        assert self.killed == frozenset(sorted(self.ends)[: len(self.killed)])


async def _sweep(
    plane: ControlPlane,
    client: Client,
    scenario_of: Callable[[Scenario], Awaitable[End]],
    limit: asyncio.Semaphore,
) -> Sweep:
    """The scenario without a fault, and then with a death at each write that this one made."""

    async def once(die_at: int) -> tuple[Scenario, End]:
        async with limit:
            scenario = Scenario(plane, client)
            await scenario.begin(die_at=die_at)
            try:
                return scenario, await scenario_of(scenario)
            finally:
                await scenario.end()

    scenario, wanted = await once(0)
    assert scenario.operator
    assert not scenario.operator.exits
    swept = range(scenario.before + 1, scenario.operator.made.value + 1)
    results = await asyncio.gather(*(once(write) for write in swept))
    killed = set()
    for write, (other, _) in zip(swept, results, strict=True):
        assert other.operator
        assert other.operator.exits in ([], [-signal.SIGKILL]), other.log.read_text()[-2000:]
        if other.operator.exits:
            killed.add(write)
    print(f"{scenario_of.__name__}: killed at {len(killed)} of {len(swept)} writes")
    ends = {write: end for write, (_, end) in zip(swept, results, strict=True)}
    return Sweep(wanted, ends, frozenset(killed))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def sweeps(plane: ControlPlane) -> dict[str, Sweep]:
    limit = asyncio.Semaphore(_AT_ONCE)
    async with Client.connect(str(plane.kubeconfig)) as client, Kubelet(client).running():
        promotion, back = await asyncio.gather(
            _sweep(plane, client, rollout, limit), _sweep(plane, client, rollback, limit)
        )
    return {"rollout": promotion, "rollback": back}


@rule("R18")
def test_rollout_has_the_same_result_when_the_operator_is_killed_at_any_write(
    sweeps: dict[str, Sweep],
) -> None:
    sweeps["rollout"].proves(15)


@rule("R9", "R18")
def test_rollback_has_the_same_result_when_the_operator_is_killed_at_any_write(
    sweeps: dict[str, Sweep],
) -> None:
    sweeps["rollback"].proves(7)
