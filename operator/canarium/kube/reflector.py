"""Keeps a cache in sync with the API server: list in chunks, diff, watch, and again.

A watch that ends or breaks is resumed from the last resourceVersion. A list is read only if there
is none, or if the server no longer has it (410). A list is compared with the cache, so objects that
were deleted meanwhile are detected.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import Callable
from typing import Any

import aiohttp

from canarium.kube.cache import Cache, Key
from canarium.kube.client import Api
from canarium.kube.clock import Timing
from canarium.kube.errors import ApiError
from canarium.kube.resources import Resource
from canarium.untrusted.error_log import ErrorLog

log = logging.getLogger(__name__)
#: Objects per page. A page is parsed as a whole, and what is kept of it is scattered over its
#: memory: small pages fragment the heap less.
_CHUNK = "100"
#: Seconds between attempts. A failing version keeps its traffic while it is not observed, so a
#: watch is retried within seconds of an outage; the client limits how many retry at once. Only a
#: kind that is not installed, or not readable, is retried slowly.
_SHORTEST, _LONGEST, _LONGEST_ABSENT = 0.5, 4.0, 30.0
#: A watch that lived so long was healthy: the next failure starts with a short wait.
_GOOD = 5.0
#: A server that ends watches sooner than this is overloaded: wait before the next one.
_HASTY = 1.0


def _unheard(status: int | None) -> None:
    """Ignores the result of a list."""


class Reflector:
    """Watches one kind in one namespace (None: in all) for a cache; `selector` is by label.

    An `optional` kind may be missing or unreadable: then its cache is empty until it exists.
    `answered` receives the result of each list: None, or the HTTP status. Reflectors that share
    `turn` have only so many pages in memory at a time.
    """

    def __init__(
        self,
        api: Api,
        resource: Resource,
        cache: Cache[Any],
        *,
        namespace: str | None = None,
        selector: str = "",
        timing: Timing | None = None,
        optional: bool = False,
        answered: Callable[[int | None], None] | None = None,
        turn: asyncio.Semaphore | None = None,
    ) -> None:
        self._api = api
        self.resource = resource
        self._cache = cache
        self._namespace = namespace
        self._optional = optional
        self._answered = answered or _unheard
        self._turn = turn or asyncio.Semaphore()
        #: The status that was logged last.
        self._logged_status: int | None = None
        self._query = {"labelSelector": selector} if selector else {}
        self._timing = timing or Timing()
        self._error_log = ErrorLog(log)
        #: Version to resume the watch from; None: a list is needed.
        self._version: str | None = None
        self.synced = asyncio.Event()
        self._alive_at = self._timing.clock()

    def __str__(self) -> str:
        return f"watch of {self.resource.plural} in {self._namespace or 'all namespaces'}"

    async def run(self) -> None:
        """Watches until cancelled; failures are retried with a growing, jittered wait."""
        wait = _SHORTEST
        while True:
            began = self._sign_of_life()
            requested, longest = 0.0, _LONGEST
            try:
                if self._version is None:
                    self._version = await self.relist()
                    self._logged_status = None
                    self._answered(None)
                    self.synced.set()
                await self._watch()
            except ApiError as error:
                requested = error.retry_after or 0.0
                absent = self._optional and error.status in (403, 404)
                if self._logged_status != error.status:
                    log.warning("%s: %s", self, error)
                self._logged_status = error.status
                if absent:
                    longest = _LONGEST_ABSENT
                    # Empty, as far as we can read; the kind may be installed later.
                    self._version = None
                    if error.not_found:
                        self._cache.retain(set(), sys.maxsize, self._namespace)
                    self._answered(error.status)
                    self.synced.set()
            except (aiohttp.ClientError, TimeoutError) as error:
                log.info("%s: %s; resuming", self, error or type(error).__name__)
            except Exception as error:
                # One invalid object must not end the watch of all others: the next list has the
                # valid ones, and its version skips the event.
                self._version = None
                self._error_log.report("", str(self), "the watch", error)
            if self._sign_of_life() - began > _GOOD:
                wait, self._logged_status = _SHORTEST, None
            requested *= self._timing.chance.uniform(1.0, 1.2)
            await self._timing.sleep(max(self._timing.jitter(min(wait, longest)), requested))
            wait = min(wait * 2, longest)

    def age(self) -> float:
        """Returns the seconds since the last activity: an answer, an event, or a new attempt.

        It grows only while the task hangs, not while the API server is down.
        """
        return self._timing.clock() - self._alive_at

    def _sign_of_life(self) -> float:
        self._alive_at = self._timing.clock()
        return self._alive_at

    async def relist(self) -> str:
        """Reads the whole list, drops objects that it does not contain, and returns its version."""
        seen: set[Key] = set()
        query = {**self._query, "limit": _CHUNK}
        while True:
            async with self._turn:
                about = await self._page(seen, query)
            version: str = about["resourceVersion"]
            if not about.get("continue"):
                break
            query["continue"] = about["continue"]
        self._cache.retain(seen, int(version), self._namespace)
        return version

    async def _page(self, seen: set[Key], query: dict[str, str]) -> dict[str, Any]:
        """Stores one page, freeing each object at once, and returns the metadata of the page."""
        page = await self._api.list(self.resource, self._namespace, **query)
        self._sign_of_life()
        items = page["items"]
        items.reverse()
        while items:
            raw = items.pop()
            seen.add((raw["metadata"].get("namespace", ""), raw["metadata"]["name"]))
            self._take_in(raw)
        about: dict[str, Any] = page["metadata"]
        return about

    async def _watch(self) -> None:
        """Watches, one watch after the other, until one fails."""
        while True:
            began = self._sign_of_life()
            try:
                await self._follow()
            except ApiError as error:
                if not error.gone:
                    raise
                log.info("%s: the version no longer exists; listing", self)
                self._version = None
                return
            if self._sign_of_life() - began < _HASTY:
                await self._timing.sleep(self._timing.jitter(_HASTY))

    async def _follow(self) -> None:
        assert self._version is not None
        async for event in self._api.watch(
            self.resource, self._namespace, resourceVersion=self._version, **self._query
        ):
            self._sign_of_life()
            raw = event["object"]
            meta = raw["metadata"]
            if event["type"] == "DELETED":
                place = (meta.get("namespace", ""), meta["name"])
                self._cache.forget(*place, meta["uid"], int(meta["resourceVersion"]))
            elif event["type"] != "BOOKMARK":
                self._take_in(raw)
            self._version = meta["resourceVersion"]

    def _take_in(self, raw: dict[str, Any]) -> None:
        try:
            self._cache.observe(raw)
        except Exception as error:
            # One invalid object must not hide all others.
            meta = raw.get("metadata", {})
            name = f"{meta.get('namespace', '')}/{meta.get('name')}"
            self._error_log.report(name, f"{self}: {name}", "reading it (it is ignored)", error)
