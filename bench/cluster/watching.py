"""One watch with timestamps: when did each object first reach the expected state?"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager

from bench.cluster.client import Body, Client

Key = tuple[str, str]


class Stalled(RuntimeError):
    """The expected state was not reached; the text has an example."""


class Watching:
    """The last state of all objects of a collection, and who waits for what."""

    def __init__(self) -> None:
        self.objects: dict[Key, Body] = {}
        self._wanted: Callable[[Body], bool] = lambda _: False
        self._missing: set[Key] = set()
        self._seen: dict[Key, float] = {}
        self._all = asyncio.Event()
        self._reached: dict[Key, asyncio.Event] = {}
        self._following: asyncio.Task[None]

    @classmethod
    @asynccontextmanager
    async def of(cls, client: Client, path: str) -> AsyncIterator[Watching]:
        """Follows the collection at `path` meanwhile."""
        watching = cls()
        version = await watching._list(client, path)
        task = asyncio.create_task(watching._follow(client, path, version))
        watching._following = task
        try:
            yield watching
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    def expect(self, keys: Iterable[Key], wanted: Callable[[Body], bool]) -> None:
        """From now on, notes when each of `keys` is first `wanted`."""
        self._wanted, self._seen = wanted, {}
        self._missing = set(keys)
        self._all.clear()
        for key in list(self._missing):
            if key in self.objects:
                self._check(key, self.objects[key])

    async def seen(self, key: Key) -> None:
        """Waits until one of the expected keys was seen."""
        if key not in self._seen:
            await self._reached.setdefault(key, asyncio.Event()).wait()

    async def all_seen(self, patience: float) -> dict[Key, float]:
        """POSIX seconds by key, once all were seen. Raises Stalled after `patience` seconds, and
        what ended the watch, if anything did."""
        seen = asyncio.create_task(self._all.wait())
        either = {seen, self._following}
        await asyncio.wait(either, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
        if self._following.done():
            self._following.result()
        if not seen.done():
            seen.cancel()
            key = next(iter(self._missing))
            status = self.objects.get(key, {}).get("status")
            text = f"{len(self._missing)} not seen in {patience:.0f} s, such as {key}: {status}"
            raise Stalled(text)
        return dict(self._seen)

    async def _follow(self, client: Client, path: str, version: str) -> None:
        """Watches until done; lists again when the API server ends the watch of a slow reader."""
        while True:
            async for event in client.watch(path, version):
                if event["type"] == "ERROR":
                    break
                if event["type"] != "DELETED":
                    self._take(event["object"])
            print("bench: the driver's watch ended, it lists again", file=sys.stderr, flush=True)
            version = await self._list(client, path)

    async def _list(self, client: Client, path: str) -> str:
        """Takes in the whole collection; the list's resourceVersion."""
        listed = await client.get(path)
        for body in listed["items"]:
            self._take(body)
        version: str = listed["metadata"]["resourceVersion"]
        return version

    def _take(self, body: Body) -> None:
        meta = body["metadata"]
        key = (meta["namespace"], meta["name"])
        self.objects[key] = body
        self._check(key, body)

    def _check(self, key: Key, body: Body) -> None:
        if key in self._missing and self._wanted(body):
            self._seen[key] = time.time()
            self._missing.discard(key)
            if key in self._reached:
                self._reached.pop(key).set()
            if not self._missing:
                self._all.set()
