"""Feeds: the models of a namespace or of the cluster, kept current by a watch while pages use them.

A feed belongs to one identity and has its rights. The watch ends after `WATCH_SECONDS` and begins
again, which checks the rights, so that a right that was withdrawn ends it within that time. A feed
that no page has used for `IDLE_SECONDS` ends, and there are at most `LIMIT` of them.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any

from canarium.view.fleet import Row, row
from canarium.view.objects import Raw, part, text
from canarium_dashboard.access.identity import Identity
from canarium_dashboard.api import Api, ApiFault

WATCH_SECONDS, IDLE_SECONDS, LIMIT = 55, 90.0, 200
_PAGE = "500"
#: Statuses that a retry does not change: the page shows the error.
_FINAL = (401, 403, 404)

Observer = Callable[[Raw], None]


class Feed:
    """The models at one path. `generation` rises with every change."""

    def __init__(
        self, api: Api, identity: Identity, path: str, name: str, observe: Observer
    ) -> None:
        self._api, self.identity, self._path = api, identity, path
        self._params = {"fieldSelector": f"metadata.name={name}"} if name else {}
        self._observe = observe
        self.models: dict[tuple[str, str], Raw] = {}
        #: Lines of the models as they arrived: their ages and remaining times are of that moment.
        self.rows: dict[tuple[str, str], Row] = {}
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
        await self._ready.wait()
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
        """Reads all pages and returns the version that they are of."""
        found: dict[tuple[str, str], Raw] = {}
        more = ""
        while True:
            params = {"limit": _PAGE, **self._params, **({"continue": more} if more else {})}
            page = await self._api.get(self.identity, self._path, **params)
            for item in page.get("items") or ():
                found[_key(item)] = _trimmed(item)
            more = text(part(page, "metadata"), "continue")
            if not more:
                break
        self.rows = {}
        for key, item in found.items():
            self._keep(key, item)
        self.models, self.fault, self.listed = found, None, True
        self.generation += 1
        self._ready.set()
        return text(part(page, "metadata"), "resourceVersion")

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
            if kind == "DELETED":
                self.models.pop(_key(item), None)
                self.rows.pop(_key(item), None)
            else:
                self.models[_key(item)] = model = _trimmed(item)
                self._keep(_key(item), model)
            self.generation += 1
        return version

    def _keep(self, key: tuple[str, str], model: Raw) -> None:
        self.rows[key] = row(model, time.time())
        self._observe(model)


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
            for key, feed in list(self._feeds.items()):
                idle = not feed.listeners and time.monotonic() - feed.used > IDLE_SECONDS
                if idle or len(self._feeds) > LIMIT:
                    del self._feeds[key]
                    await feed.stop()

    async def stop(self) -> None:
        """Ends all feeds."""
        for feed in self._feeds.values():
            await feed.stop()
        self._feeds.clear()


def _key(item: Raw) -> tuple[str, str]:
    meta = part(item, "metadata")
    return text(meta, "namespace"), text(meta, "name")


def _trimmed(item: Any) -> Raw:
    """Returns the model without what no list shows, which is most of its size."""
    meta = {k: v for k, v in part(item, "metadata").items() if k not in _UNUSED}
    return {**item, "metadata": meta}


_UNUSED = ("managedFields", "annotations", "ownerReferences")
