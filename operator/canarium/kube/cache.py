"""A cache of one kind that follows the API server: list, diff, watch, and again.

A relist is compared with what is known, so that what went while the watch was down is seen as
deleted. What a write answers is put in at once (`observe`), and older events are dropped: a
decision never sees a state from before its own last write.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable
from typing import Any, Generic, Protocol, TypeVar

import aiohttp

from canarium.kube.faults import ApiError
from canarium.kube.kinds import Resource
from canarium.kube.transport import Client

log = logging.getLogger(__name__)
_CHUNK = "500"
_SHORTEST, _LONGEST = 0.5, 30.0
#: A watch that lived so long was a good one: the next fault begins with a short wait.
_GOOD = 30.0
_REMEMBERED = 10_000


class Projected(Protocol):
    """What every projection keeps of an object's metadata."""

    @property
    def namespace(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def uid(self) -> str: ...
    @property
    def version(self) -> int: ...


T = TypeVar("T", bound=Projected)
Key = tuple[str, str]


class Informer(Generic[T]):
    """Keeps `items` true to the API server; `on_change(old, new)` tells of every difference."""

    def __init__(
        self,
        client: Client,
        resource: Resource,
        *,
        project: Callable[[dict[str, Any]], T],
        on_change: Callable[[T | None, T | None], None],
        namespace: str | None = None,
        selector: str = "",
    ) -> None:
        self._client = client
        self.resource = resource
        self._project = project
        self._on_change = on_change
        self._namespace = namespace
        self._query = {"labelSelector": selector} if selector else {}
        #: Uids of what was deleted, oldest first: late events about them are not believed.
        self._gone: dict[str, None] = {}
        self.items: dict[Key, T] = {}
        self.synced = asyncio.Event()
        self.alive_at = asyncio.get_running_loop().time()

    async def run(self) -> None:
        """Follows until cancelled; every fault is followed by a relist after a jittered wait."""
        loop = asyncio.get_running_loop()
        wait = _SHORTEST
        while True:
            began = loop.time()
            try:
                version = await self._relist()
                self.synced.set()
                await self._follow(version)
            except (ApiError, aiohttp.ClientError, TimeoutError) as error:
                log.warning("watch of %s: %s", self.resource.plural, error)
            except Exception:
                # One object that cannot be read must not end the watch of all others.
                log.exception("watch of %s", self.resource.plural)
            if loop.time() - began > _GOOD:
                wait = _SHORTEST
            await asyncio.sleep(wait * random.uniform(0.5, 1.0))
            wait = min(wait * 2, _LONGEST)

    def age(self) -> float:
        """Seconds since the last sign of life of the watch."""
        return asyncio.get_running_loop().time() - self.alive_at

    def observe(self, raw: dict[str, Any]) -> None:
        """Takes in an object from a write's answer or an event; the newer one wins."""
        new = self._project(raw)
        key = (new.namespace, new.name)
        old = self.items.get(key)
        if new.uid in self._gone or (old and old.version >= new.version):
            return
        self.items[key] = new
        if old != new:
            self._on_change(old, new)

    def forget(self, namespace: str, name: str, uid: str) -> None:
        """Drops an object that is deleted; late events about that uid are not believed."""
        key = (namespace, name)
        self._gone[uid] = None
        if len(self._gone) > _REMEMBERED:
            del self._gone[next(iter(self._gone))]
        old = self.items.get(key)
        if old is None or old.uid != uid:
            return
        del self.items[key]
        self._on_change(old, None)

    async def _relist(self) -> str:
        seen: set[Key] = set()
        query = {**self._query, "limit": _CHUNK}
        while True:
            page = await self._client.list(self.resource, self._namespace, **query)
            self.alive_at = asyncio.get_running_loop().time()
            for raw in page["items"]:
                seen.add((raw["metadata"].get("namespace", ""), raw["metadata"]["name"]))
                self.observe(raw)
            version: str = page["metadata"]["resourceVersion"]
            following = page["metadata"].get("continue")
            if not following:
                break
            query["continue"] = following
        for key in [key for key in self.items if key not in seen]:
            # Written by us after the list was taken: the watch will tell.
            if self.items[key].version <= int(version):
                self._on_change(self.items.pop(key), None)
        return version

    async def _follow(self, version: str) -> None:
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            async for event in self._client.watch(
                self.resource, self._namespace, resourceVersion=version, **self._query
            ):
                self.alive_at = asyncio.get_running_loop().time()
                raw = event["object"]
                version = raw["metadata"]["resourceVersion"]
                if event["type"] == "BOOKMARK":
                    continue
                if event["type"] == "DELETED":
                    meta = raw["metadata"]
                    key = (meta.get("namespace", ""), meta["name"])
                    self.forget(*key, meta["uid"])
                else:
                    self.observe(raw)
            if loop.time() - began < 1.0:
                # A server that ends watches at once is in trouble: do not add to it.
                await asyncio.sleep(random.uniform(0.5, 1.0))
