"""What API servers do to operators, done by a proxy between the two; the end is as without.

Each fault occurs in a rollout or a rollback with its own operator, all in parallel.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web

from canarium.kube.http import Client
from integration.conftest import SHORT_LEASE
from integration.kubelet import Kubelet
from integration.scenarios import (
    End,
    Injection,
    Scenario,
    created,
    nothing,
    rollback,
    rollout,
    touched,
)
from sandbox.controlplane import ControlPlane
from sandbox.fault_proxy import Fault, Lost, Proxy, Refusal, Reset, Slow, is_watch, is_write

rule = pytest.mark.rule
#: Seconds. kopf's own retries are over after 54; that ours never are, tests/unit/host proves.
_BURST = 12.0
#: Operators beside each other: more of them lose short leases for want of a processor.
_AT_ONCE = 8
Played = Callable[[Scenario, Injection], Awaitable[End]]
Arranged = Callable[[Proxy], Injection]


def every_second_write(fault: Fault, first: int, most: int = 1_000) -> Arranged:
    """Harms every second write, from number `first` on."""

    def arrange(proxy: Proxy) -> Injection:
        writes = itertools.count()

        def fault_of(request: web.Request) -> Fault:
            harmed = is_write(request) and next(writes) % 2 == first
            return fault if harmed and proxy.harmed < most else None

        proxy.rule = fault_of
        return nothing

    return arrange


def silent_after_effect(proxy: Proxy) -> Injection:
    """Two writes in a row are never answered: the operator gives up when its lease runs out."""

    async def inject() -> None:
        proxy.rule = lambda r: Lost(silent=True) if is_write(r) and proxy.harmed < 2 else None

    return inject


def watches_expire(proxy: Proxy) -> Injection:
    """Every watch receives `410 Gone`, and so does the next attempt to watch each kind."""

    async def inject() -> None:
        expired: set[str] = set()

        def fault_of(request: web.Request) -> Fault:
            if not is_watch(request) or request.path in expired:
                return None
            expired.add(request.path)
            return Refusal(410, "Expired")

        proxy.rule = fault_of
        assert proxy.break_watches(410, "Expired") > 6

    return inject


def watches_fail(proxy: Proxy) -> Injection:
    """Every watch receives an internal error of the server, which kopf calls fatal."""

    async def inject() -> None:
        assert proxy.break_watches(500, "InternalError") > 6

    return inject


def watches_cut(proxy: Proxy) -> Injection:
    async def inject() -> None:
        assert proxy.break_watches() > 6

    return inject


def server_errors(seconds: float) -> Arranged:
    """Every request is answered 503 for so long, and no watch is left."""

    def arrange(proxy: Proxy) -> Injection:
        async def inject() -> None:
            proxy.rule = lambda request: Refusal(503, "ServiceUnavailable")
            proxy.break_watches()
            await asyncio.sleep(seconds)
            proxy.rule = lambda request: None

        return inject

    return arrange


def failed_writes(status: int, reason: str, first: int = 0) -> Arranged:
    return every_second_write(Refusal(status, reason), first)


_WAIT = Refusal(429, "TooManyRequests", {"Retry-After": "1"})
LEASED = ("--lease-namespace", "{namespace}", *SHORT_LEASE)
#: Bounds a write by six seconds, and is not lost for want of a processor.
_SIX_SECONDS = ("--lease-duration=9", "--lease-renew=6", "--lease-retry=0.5")
#: The fault of each scenario, by the name of its test; with flags of the operator.
FAULTS: dict[str, tuple[Played, Arranged, tuple[str, ...]]] = {
    "429 with Retry-After at a rollout": (rollout, every_second_write(_WAIT, 0, 6), ()),
    "429 with Retry-After at a rollback": (rollback, every_second_write(_WAIT, 1, 6), ()),
    "429 without Retry-After at a rollout": (rollout, failed_writes(429, "TooManyRequests"), ()),
    "429 without Retry-After at a rollback": (
        rollback,
        failed_writes(429, "TooManyRequests", 1),
        (),
    ),
    "500 at a rollout": (rollout, failed_writes(500, "InternalError"), ()),
    "500 at a rollback": (rollback, failed_writes(500, "InternalError", 1), ()),
    "503 at a rollout": (rollout, failed_writes(503, "ServiceUnavailable", 1), ()),
    "503 at a rollback": (rollback, failed_writes(503, "ServiceUnavailable"), ()),
    "504 at a rollout": (rollout, failed_writes(504, "Timeout"), ()),
    "504 at a rollback": (rollback, failed_writes(504, "Timeout", 1), ()),
    "connections reset before even writes at a rollout": (
        rollout,
        every_second_write(Reset(), 0),
        (),
    ),
    "connections reset before odd writes at a rollout": (
        rollout,
        every_second_write(Reset(), 1),
        (),
    ),
    "connections reset before even writes at a rollback": (
        rollback,
        every_second_write(Reset(), 0),
        (),
    ),
    "slow writes at a rollout": (rollout, every_second_write(Slow(2.0), 0, 8), ()),
    "slow writes at a rollback": (rollback, every_second_write(Slow(2.0), 1, 8), ()),
    "answers of even writes lost at a rollout": (rollout, every_second_write(Lost(), 0), ()),
    "answers of odd writes lost at a rollout": (rollout, every_second_write(Lost(), 1), ()),
    "answers of even writes lost at a rollback": (rollback, every_second_write(Lost(), 0), ()),
    "answers of odd writes lost at a rollback": (rollback, every_second_write(Lost(), 1), ()),
    "writes that time out after their effect": (
        rollout,
        silent_after_effect,
        ("--lease-namespace", "{namespace}", *_SIX_SECONDS),
    ),
    "status 410 on every watch at a rollout": (rollout, watches_expire, ()),
    "status 410 on every watch at a rollback": (rollback, watches_expire, ()),
    "an error in every watch": (rollout, watches_fail, ()),
    "every watch cut": (rollout, watches_cut, ()),
    "503 for a while": (rollout, server_errors(_BURST), ()),
    "503 for longer than the lease": (rollout, server_errors(5.0), LEASED),
}
#: The operator ends by design: without a renewed lease it must not write.
ENDS = {"503 for longer than the lease"}


@dataclass(frozen=True)
class Outcome:
    end: End
    exits: list[int]
    touched: set[tuple[str, str, str]]
    #: Creations that took effect, by kind and name, and how often each did.
    created: dict[tuple[str, str], int]
    harmed: int
    log: str


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def outcomes(
    plane: ControlPlane, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, Outcome | BaseException]:
    """How each scenario ended, and the two without a fault: `rollout` and `rollback`."""
    folder = tmp_path_factory.mktemp("proxies")

    side_by_side = asyncio.Semaphore(_AT_ONCE)

    async def once(client: Client, play: Played, arranged: Arranged, flags: Any) -> tuple[Any, ...]:
        async with side_by_side:
            return await alone(client, play, arranged, flags)

    async def alone(
        client: Client, play: Played, arranged: Arranged, flags: Any
    ) -> tuple[Any, ...]:
        scenario = Scenario(plane, client)
        words = tuple(word.format(namespace=scenario.namespace) for word in flags)
        copy = folder / f"{scenario.namespace}.kubeconfig"
        async with Proxy().before(plane.kubeconfig, copy) as proxy:
            await scenario.begin(*words, kubeconfig=copy)
            try:
                end = await play(scenario, arranged(proxy))
                made = created(plane, scenario.namespace)
            finally:
                proxy.rule = lambda request: None
                await scenario.end()
            assert scenario.operator
            return scenario, end, made, scenario.operator.exits, proxy.harmed

    scenarios = {
        "rollout": (rollout, lambda proxy: nothing, ()),
        "rollback": (rollback, lambda proxy: nothing, ()),
        **FAULTS,
    }
    async with Client.connect(str(plane.kubeconfig)) as client, Kubelet(client).running():
        results = await asyncio.gather(
            *(once(client, *how) for how in scenarios.values()), return_exceptions=True
        )
    writes = touched(plane)
    found: dict[str, Outcome | BaseException] = {}
    for name, result in zip(scenarios, results, strict=True):
        if isinstance(result, BaseException):
            found[name] = result
            continue
        scenario, end, made, exits, harmed = result
        found[name] = Outcome(
            end,
            exits,
            writes[scenario.namespace],
            made,
            harmed,
            scenario.log.read_text()[-6000:],
        )
    return found


def of(outcomes: dict[str, Outcome | BaseException], name: str) -> Outcome:
    outcome = outcomes[name]
    if isinstance(outcome, BaseException):
        raise outcome
    return outcome


def needed(outcome: Outcome) -> dict[tuple[str, str], int]:
    """What was created, less PodDisruptionBudgets of deleted versions: one that fails at once
    may be rolled back before its own is written."""
    remain = outcome.end["deployments"]
    return {
        (kind, name): times
        for (kind, name), times in outcome.created.items()
        if kind != "poddisruptionbudgets" or name in remain
    }


@rule("R8", "R9", "R18")
@pytest.mark.parametrize("name", FAULTS)
def test_rollout_has_the_same_result_under_api_faults_and_serving_pods_are_kept(
    outcomes: dict[str, Outcome | BaseException], name: str
) -> None:
    played = FAULTS[name][0].__name__
    wanted, outcome = of(outcomes, played), of(outcomes, name)
    assert outcome.end == wanted.end
    assert outcome.touched == wanted.touched
    assert needed(outcome) == needed(wanted), "nothing is missing, and nothing else is made"
    assert set(outcome.created.values()) == {1}
    if "watch" not in name:
        assert outcome.harmed > 1
    assert bool(outcome.exits) == (name in ENDS), f"{outcome.exits}: {outcome.log}"
