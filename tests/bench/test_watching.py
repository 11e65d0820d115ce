"""The driver's watch, which an API server may end at any time."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from bench.cluster.watching import Stalled, Watching

KEY = ("ns", "m")


def model(version: int, phase: str) -> dict[str, Any]:
    meta = {"namespace": "ns", "name": "m", "resourceVersion": str(version)}
    return {"metadata": meta, "status": {"phase": phase}}


class Ending:
    """Its first watch ends, with nothing or with an error; meanwhile the object got ready."""

    def __init__(self, *events: dict[str, Any], broken: bool = False) -> None:
        self.events, self.broken = events, broken
        self.lists = 0

    async def get(self, path: str) -> dict[str, Any]:
        self.lists += 1
        if self.broken and self.lists > 1:
            raise ConnectionError("refused")
        item = model(self.lists, "Ready" if self.lists > 1 else "Starting")
        return {"metadata": {"resourceVersion": str(self.lists)}, "items": [item]}

    async def watch(self, path: str, version: str) -> AsyncIterator[dict[str, Any]]:
        if version == "1":
            for event in self.events:
                yield event
            return
        await asyncio.sleep(60)


async def seen(client: Ending, patience: float = 5.0) -> dict[Any, float]:
    async with Watching.of(client, "/models") as watching:  # type: ignore[arg-type]
        watching.expect([KEY], lambda body: body["status"]["phase"] == "Ready")
        return await watching.all_seen(patience)


@pytest.mark.parametrize("events", [(), ({"type": "ERROR", "object": {"code": 410}},)])
async def test_watch_that_ends_is_followed_by_a_list(events: Any) -> None:
    client = Ending(*events)
    assert (await seen(client)).keys() == {KEY}
    assert client.lists == 2


async def test_error_of_the_watch_is_raised_at_once() -> None:
    with pytest.raises(ConnectionError, match="refused"):
        await seen(Ending(broken=True))


async def test_wait_timeout_names_the_missing_object() -> None:
    client = Ending({"type": "MODIFIED", "object": model(2, "Starting")})
    client.lists = -5
    with pytest.raises(Stalled, match="1 not seen in 0 s"):
        await seen(client, patience=0.2)


async def test_single_key_is_awaited_before_all_are_seen() -> None:
    client = Ending({"type": "MODIFIED", "object": model(2, "Ready")})
    async with Watching.of(client, "/models") as watching:  # type: ignore[arg-type]
        watching.expect([KEY, ("ns", "other")], lambda body: body["status"]["phase"] == "Ready")
        await asyncio.wait_for(watching.seen(KEY), 1)
        await asyncio.wait_for(watching.seen(KEY), 1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(watching.seen(("ns", "other")), 0.05)
