"""Every status of a model and every Event about it, by a watch, with the time that it was seen."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable
from typing import Any

from canarium.kube import resources
from canarium.kube.resources import Resource
from integration.conftest import Cluster

Status = dict[str, Any]


class StatusRecorder:
    def __init__(self) -> None:
        self.statuses: list[tuple[float, Status]] = []
        self.events: list[tuple[float, Status]] = []
        self.services: list[tuple[float, Status]] = []
        self._news = asyncio.Condition()

    @contextlib.asynccontextmanager
    async def kept(self, cluster: Cluster) -> AsyncIterator[StatusRecorder]:
        """Writes down what happens meanwhile."""
        tasks = [
            asyncio.create_task(self._follow(cluster, resources.MODELS, self._status)),
            asyncio.create_task(self._follow(cluster, resources.EVENTS, self._event)),
            asyncio.create_task(self._follow(cluster, resources.SERVICES, self._service)),
        ]
        try:
            yield self
        finally:
            for task in tasks:
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await task

    async def _follow(
        self, cluster: Cluster, resource: Resource, note: Callable[[float, Any], None]
    ) -> None:
        now = await cluster.client.list(resource, cluster.namespace)
        since = now["metadata"]["resourceVersion"]
        watch = cluster.client.watch(resource, cluster.namespace, resourceVersion=since)
        async for event in watch:
            if event["type"] in ("ADDED", "MODIFIED"):
                note(time.time(), event["object"])
                async with self._news:
                    self._news.notify_all()

    def _status(self, at: float, model: Any) -> None:
        self.statuses.append((at, model.get("status") or {}))

    def _event(self, at: float, event: Any) -> None:
        self.events.append((at, event))

    def _service(self, at: float, service: Any) -> None:
        self.services.append((at, service))

    async def first(
        self, entries: list[tuple[float, Any]], holds: Callable[[Any], bool], seconds: float = 30
    ) -> tuple[float, Any]:
        """Waits for the first entry that holds; when it was seen, and the entry."""
        try:
            async with asyncio.timeout(seconds), self._news:
                while True:
                    found = next((entry for entry in entries if holds(entry[1])), None)
                    if found:
                        return found
                    await self._news.wait()
        except TimeoutError:
            raise AssertionError(f"not seen in {seconds} s; the last: {entries[-1:]}") from None


def condition(status: Status, kind: str) -> dict[str, Any]:
    """A condition by its type; empty when the status lacks it."""
    return next((c for c in status.get("conditions", ()) if c["type"] == kind), {})
