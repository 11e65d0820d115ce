"""Does the same thing to many objects, so many at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import TypeVar

from bench.cluster.fresh import NAMESPACES
from bench.cluster.watching import Key

T = TypeVar("T")
#: More gain nothing on an API server of two processors (see the report's floor).
CONNECTIONS = 16


def keys_of(n: int) -> list[Key]:
    """`n` objects, spread over the namespaces."""
    return [(NAMESPACES[i % len(NAMESPACES)], f"m-{i:05d}") for i in range(n)]


async def many(
    items: Iterable[T], act: Callable[[T], Awaitable[None]], connections: int = CONNECTIONS
) -> None:
    """Runs `act` for all `items`, `connections` at a time; the first failure ends it."""
    waiting = iter(items)

    async def work() -> None:
        for item in waiting:
            await act(item)

    async with asyncio.TaskGroup() as group:
        for _ in range(connections):
            group.create_task(work())
