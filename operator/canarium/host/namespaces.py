"""Selects namespaces by label: starts and stops watching as labels change."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from canarium.kube import resources
from canarium.kube.cache import Cache
from canarium.kube.client import Api
from canarium.kube.clock import Timing
from canarium.kube.reflector import Reflector

Act = Callable[[str], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class _Namespace:
    """A namespace that the selector matches."""

    namespace: str
    name: str
    uid: str
    version: int = field(compare=False)


def _project(raw: dict[str, Any]) -> _Namespace:
    meta = raw["metadata"]
    return _Namespace("", meta["name"], meta["uid"], int(meta["resourceVersion"]))


class NamespaceSelection:
    """The namespaces that a label selector matches now."""

    def __init__(self, api: Api, selector: str, timing: Timing | None = None) -> None:
        self._changed: asyncio.Queue[str] = asyncio.Queue()
        self._cache: Cache[_Namespace] = Cache(_project, self._on_change)
        self.reflector = Reflector(
            api, resources.NAMESPACES, self._cache, selector=selector, timing=timing
        )

    def _on_change(self, old: _Namespace | None, new: _Namespace | None) -> None:
        some = new or old
        assert some is not None
        self._changed.put_nowait(some.name)

    async def run(self, watch: Act, unwatch: Act) -> None:
        """Calls `watch` and `unwatch`, one at a time, until cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self.reflector.run(), name=str(self.reflector))
            while True:
                name = await self._changed.get()
                await (watch if ("", name) in self._cache.items else unwatch)(name)
