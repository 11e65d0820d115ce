"""Feeds: the models of a namespace or of the cluster, kept current by a watch while pages use them.

A feed belongs to one identity and has its rights. The watch ends after `WATCH_SECONDS` and begins
again, which checks the rights, so that a right that was withdrawn ends it within that time. A feed
that no page has used for `IDLE_SECONDS` ends. There are at most `LIMIT` of them, and together they
keep at most `BYTES`: those that were used least recently end first. Of a model, only its line is
kept (`lines`), and lists are read as rows of a table, while they arrive (decision 0039).
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Mapping

from canarium.view.objects import Raw, part, text
from canarium_dashboard.access.identity import Identity
from canarium_dashboard.api import Api, ApiFault
from canarium_dashboard.lines import Line, line

WATCH_SECONDS, IDLE_SECONDS, LIMIT = 55, 90.0, 200
#: A quarter of the chart's memory limit: 100,000 lines.
BYTES = 128 * 2**20
#: Statuses that a retry does not change: the page shows the error.
_FINAL = (401, 403, 404, 413, 501)

Observer = Callable[[Raw], None]


class Feed:
    """The models at one path. `generation` rises with every change."""

    def __init__(
        self, api: Api, identity: Identity, path: str, name: str, observe: Observer
    ) -> None:
        self._api, self.identity, self._path = api, identity, path
        self._params = {"fieldSelector": f"metadata.name={name}"} if name else {}
        self._observe = observe
        self.lines: dict[tuple[str, str], Line] = {}
        #: About how many bytes the lines take.
        self.size = 0
        self.generation = 0
        #: Whether the models have been listed once.
        self.listed = False
        #: Why the models may be out of date, or (with a final status) cannot be read.
        self.fault: ApiFault | None = None
        self.used = time.monotonic()
        self.listeners = 0
        self._ready = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    async def ready(self) -> None:
        """Waits until the models have been listed. Raises ApiFault if that is not possible."""
        self.used = time.monotonic()
        if self._task is None or self._task.done():
            self._ready.clear()
            self._task = asyncio.create_task(self._run())
        ready = asyncio.create_task(self._ready.wait())
        await asyncio.wait({ready, self._task}, return_when=asyncio.FIRST_COMPLETED)
        ready.cancel()
        if not self.listed and not self.fault:
            raise ApiFault(0, "The list of models cannot be read. The log has the cause.")
        if self.fault and (self.fault.status in _FINAL or not self.listed):
            raise self.fault

    @property
    def ended(self) -> bool:
        """Whether the watch has ended and does not begin again by itself."""
        return self._task is None or self._task.done()

    async def stop(self) -> None:
        """Ends the watch."""
        if self._task:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    async def _run(self) -> None:
        pause = 0.5
        while self.listeners or time.monotonic() - self.used < IDLE_SECONDS:
            try:
                version = await self._list()
                pause = 0.5
                while version and (self.listeners or time.monotonic() - self.used < IDLE_SECONDS):
                    version = await self._watch(version)
            except ApiFault as fault:
                self.fault = fault
                self.generation += 1
                self._ready.set()
                if fault.status in _FINAL:
                    return
                await asyncio.sleep(pause)
                pause = min(pause * 2, 10.0)

    async def _list(self) -> str:
        """Reads the list and returns the version that it is of."""
        lines: dict[tuple[str, str], Line] = {}
        size, version = 0, list[str]()
        async for item in self._models(version):
            one = line(item, time.time())
            lines[one.key] = one
            size += one.size
            if size > BYTES:
                raise ApiFault(
                    413, "There are more models than this page can list. Choose a namespace."
                )
        self.lines, self.size, self.fault, self.listed = lines, size, None, True
        self.generation += 1
        self._ready.set()
        return version[0]

    async def _models(self, version: list[str]) -> AsyncIterator[Raw]:
        """Yields what a line needs of each model; of a single model, the whole object."""
        if not self._params:
            async for item in self._api.models(self.identity, self._path, version):
                yield item
            return
        answer = await self._api.get(self.identity, self._path, **self._params)
        for item in answer.get("items") or ():
            self._observe(item)
            yield item
        version.append(text(part(answer, "metadata"), "resourceVersion"))

    async def _watch(self, version: str) -> str:
        """Follows the changes after `version`; returns the last one, empty to list again."""
        params = {"resourceVersion": version, "timeoutSeconds": str(WATCH_SECONDS)}
        async for event in self._api.watch(self.identity, self._path, **params, **self._params):
            kind, item = event.get("type"), event.get("object")
            if kind == "ERROR" or not isinstance(item, Mapping):
                return ""
            version = text(part(item, "metadata"), "resourceVersion") or version
            if kind == "BOOKMARK":
                continue
            one = line(item, time.time())
            before = self.lines.pop(one.key, None)
            self.size -= before.size if before else 0
            if kind != "DELETED":
                self._observe(item)
                self.lines[one.key] = one
                self.size += one.size
            self.generation += 1
        return version


class Feeds:
    """The feeds of all identities; the one that was used least recently ends first."""

    def __init__(self, api: Api, observe: Observer) -> None:
        self._api, self._observe = api, observe
        self._feeds: OrderedDict[tuple[str, str, str], Feed] = OrderedDict()

    def of(self, identity: Identity, path: str, name: str = "") -> Feed:
        """Returns the feed of an identity; `name` is that of a single model."""
        key = (identity.key, path, name)
        feed = self._feeds.get(key)
        if feed is None or (feed.ended and feed.fault):
            feed = self._feeds[key] = Feed(self._api, identity, path, name, self._observe)
        self._feeds.move_to_end(key)
        feed.used = time.monotonic()
        return feed

    async def tidy(self) -> None:
        """Ends the feeds that are not used, and those above the limit, until it is cancelled."""
        while True:
            await asyncio.sleep(5)
            await self.trim()

    async def trim(self) -> None:
        """Ends the feeds that are not used, and those above the limits. The last one stays: `_list`
        bounds it."""
        for key, feed in list(self._feeds.items()):
            idle = not feed.listeners and time.monotonic() - feed.used > IDLE_SECONDS
            large = sum(one.size for one in self._feeds.values()) > BYTES
            above = (large or len(self._feeds) > LIMIT) and len(self._feeds) > 1
            if idle or above:
                del self._feeds[key]
                await feed.stop()

    async def stop(self) -> None:
        """Ends all feeds."""
        for feed in self._feeds.values():
            await feed.stop()
        self._feeds.clear()
