"""Supervises kopf's watch of ModelDeployments: its namespaces, and whether it is alive.

kopf does not report deletions that happened while its watch was down, and does not restart a
watcher that has ended. Its HTTP session is ours, so its requests are visible here: after kopf has
listed again, deleted models are dropped from the cache, and a watcher without requests is reported
as stuck.
"""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace
from typing import Any

import aiohttp
from kopf._cogs.structs.references import Insights, NamespaceName

from canarium import GROUP, PLURAL
from canarium.engine.cache.informers import Namespace
from canarium.engine.engine import Engine
from canarium.kube import resources
from canarium.kube.client import Api
from canarium.kube.clock import Timing
from canarium.kube.errors import ApiError
from canarium.kube.reflector import Reflector

__all__ = ["SERVER_TIMEOUT", "Insights", "KopfWatch"]
log = logging.getLogger(__name__)
#: Seconds after which the server ends a watch, and kopf sends a new one.
SERVER_TIMEOUT = 290
_SILENT = SERVER_TIMEOUT + 120.0


class KopfWatch:
    """Does for ModelDeployments what the engine's informers do for their children."""

    def __init__(
        self, api: Api, engine: Engine, insights: Insights, timing: Timing | None = None
    ) -> None:
        self._api, self._engine = api, engine
        self._timing = timing or Timing()
        self._insights = insights
        #: When kopf last sent a request; one that never sends any is as stuck as one that stopped.
        self._requested: dict[Namespace, float] = {}
        self._since = self._timing.clock()
        self._lists: dict[Namespace, int] = {}
        self._listed: set[Namespace] = set()
        self._relisted: asyncio.Queue[Namespace] = asyncio.Queue()

    def trace(self) -> aiohttp.TraceConfig:
        """Returns the trace for the session of kopf."""
        config = aiohttp.TraceConfig()
        config.on_request_start.append(self._started)
        return config

    async def _started(
        self, session: Any, context: SimpleNamespace, params: aiohttp.TraceRequestStartParams
    ) -> None:
        parts = params.url.path.strip("/").split("/")
        if parts[-1] != PLURAL:
            return
        namespace = parts[-2] if parts[-3] == "namespaces" else None
        self._requested[namespace] = self._timing.clock()
        if "watch" in params.url.query:
            # kopf watches once it has listed.
            if self._lists.get(namespace, 0) > 1 and namespace not in self._listed:
                self._relisted.put_nowait(namespace)
            self._listed.add(namespace)
        elif "continue" not in params.url.query:
            self._lists[namespace] = self._lists.get(namespace, 0) + 1
            self._listed.discard(namespace)

    async def compare(self) -> None:
        """Drops deleted models after each repeated list of kopf, until cancelled."""
        while True:
            namespace = await self._relisted.get()
            parents = self._engine.store.parents
            reflector = Reflector(self._api, resources.MODELS, parents, namespace=namespace)
            try:
                await reflector.relist()
            except (ApiError, TimeoutError) as error:
                log.warning("listing models in %s failed: %s", namespace or "all namespaces", error)
                await self._timing.sleep(1.0)
                self._relisted.put_nowait(namespace)

    async def watch_namespace(self, namespace: str) -> None:
        """Starts watching a namespace."""
        self._requested[namespace] = self._timing.clock()
        self._engine.watch_namespace(namespace)
        async with self._insights.revised:
            self._insights.namespaces.add(NamespaceName(namespace))
            self._insights.revised.notify_all()

    async def unwatch_namespace(self, namespace: str) -> None:
        """Stops watching a namespace: everything in it stays as it is."""
        async with self._insights.revised:
            self._insights.namespaces.discard(NamespaceName(namespace))
            self._insights.revised.notify_all()
        await self._engine.unwatch_namespace(namespace)
        for known in (self._requested, self._lists):
            known.pop(namespace, None)
        self._listed.discard(namespace)

    def synced(self) -> bool:
        """Returns whether kopf has listed every watched namespace."""
        return self._listed >= self._engine.informers.namespaces

    def stuck(self) -> list[str]:
        """Returns what is wrong with kopf's watchers, one line each."""
        running = {task.get_name() for task in asyncio.all_tasks() if not task.done()}
        problems = []
        for namespace in self._engine.informers.namespaces:
            where = namespace or "all namespaces"
            age = self._timing.clock() - self._requested.get(namespace, self._since)
            name = f"watcher for {PLURAL}.v1alpha1.{GROUP}@{namespace}"
            if namespace in self._listed and name not in running:
                problems.append(f"the watch of {PLURAL} in {where} has ended")
            elif age > _SILENT:
                problems.append(f"the watch of {PLURAL} in {where} has been silent for {age:.0f} s")
        return problems
