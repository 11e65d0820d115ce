"""Reads that authors of models cause: one namespace cannot delay those of another (R31)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from canarium.api.authentication import Authentication
from canarium.engine.engine import Engine
from canarium.kube import resources
from canarium.kube.clock import Timing
from canarium.kube.fair_reads import AT_ONCE, SHARE, FairReads
from simulation.clock import VirtualLoop

rule = pytest.mark.rule


class Server:
    """An API server that takes half a second, with a limit on reads in flight that it counts."""

    def __init__(self) -> None:
        self.reads: list[str] = []
        self.most = self.under_way = 0

    async def get(self, resource: Any, namespace: str | None, name: str) -> dict[str, Any]:
        self.reads.append(namespace or "")
        self.under_way += 1
        self.most = max(self.most, self.under_way)
        try:
            await asyncio.sleep(0.5)
        finally:
            self.under_way -= 1
        return {"data": {"token": "YQ=="}}

    async def list(
        self, resource: Any, namespace: str | None = None, **query: str
    ) -> dict[str, Any]:
        await self.get(resource, namespace, "")
        return {"items": [query]}

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"sources of facts only read: {name}")


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    made = VirtualLoop()
    yield made
    for task in asyncio.all_tasks(made):
        task.cancel()
    made.advance(0.1)
    made.close()


@rule("R31")
def test_thousand_reads_of_each_of_ten_namespaces_do_not_delay_that_of_another(
    loop: VirtualLoop,
) -> None:
    server = Server()
    timing = Timing(clock=loop.time, sleep=asyncio.sleep)
    reads = FairReads(server, timing)  # type: ignore[arg-type]
    for number in range(10_000):
        loop.create_task(reads.get(resources.SECRETS, f"evil-{number % 10}", "s"))
    loop.advance(2.0)
    good = loop.create_task(reads.list(resources.PODS, "good", limit="10"))
    loop.advance(1.5)
    assert good.done()
    assert good.result() == {"items": [{"limit": "10"}]}
    assert server.most == AT_ONCE


@rule("R31")
def test_secrets_of_checks_are_read_in_turns_of_namespaces(loop: VirtualLoop) -> None:
    """The engine passes its sources of facts such reads."""
    server = Server()
    login = Authentication.model_validate({"secretName": "login"})

    async def started() -> Engine:
        timing = Timing(clock=loop.time, sleep=asyncio.sleep)
        engine = Engine(server, workers=1, timing=timing)  # type: ignore[arg-type]
        assert engine.external.signals
        for _ in range(100):
            asyncio.get_running_loop().create_task(
                engine.external.signals.authenticator.endpoint("evil", "http://x", login, 5.0)
            )
        return engine

    engine = loop.run(started())
    loop.advance(0.1)
    assert server.reads == ["evil"] * SHARE
    loop.run(engine.external.close())
