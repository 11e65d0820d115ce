"""Resolves the moving reference of each model whose plan requests it.

Level-triggered, as the other facts from outside: a result is kept while the same request stands,
and a reference without one is asked for again, ever less often. `shared_requests` limits the
requests of all models. A reference that is followed is passed to the `follower`. Nothing survives a
restart: what was resolved is in the record.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from canarium.core.facts.resolution import Follow, Resolution, ResolveRequest
from canarium.kube.clock import Timing
from canarium.sources.follower import Follower
from canarium.sources.registries import Key
from canarium.sources.shared_requests import SharedRequests
from canarium.telemetry import log_context

Wake = Callable[[Key, bool], None]
#: Seconds between two requests for one reference, before jitter: doubled each time, up to a bound.
_FIRST_WAIT, _LAST_WAIT = 1.0, 30.0
#: Seconds for which a decision may wait for a first result, instead of reporting that it waits.
_GRACE = 1.0


class Source(Protocol):
    """Answers requests; `registries.Registries` is the real one."""

    async def resolve(self, key: Key, request: ResolveRequest) -> Resolution:
        """Returns the result of one request. Never raises."""
        ...

    def wait_left(self, namespace: str, request: ResolveRequest) -> float:
        """Returns the seconds for which its registry wants no requests that can wait."""
        ...

    def forget(self, key: Key) -> None:
        """Drops what is remembered of a model."""
        ...


@dataclass
class _Resolving:
    request: ResolveRequest
    since: float
    result: Resolution | None = None
    task: asyncio.Task[None] | None = field(default=None, repr=False)


class SourceResolver:
    """`wake(key, urgent)` is called for a new result."""

    def __init__(self, registries: Source, wake: Wake, timing: Timing | None = None) -> None:
        self._registries, self._wake = registries, wake
        self._timing = timing or Timing()
        self._models: dict[Key, _Resolving] = {}
        self._requests = SharedRequests(registries.resolve, self._timing)
        self._follower = Follower(registries.resolve, wake, self._timing, registries.wait_left)

    def result(self, key: Key) -> Resolution | None:
        """Returns the result for the last request of a model."""
        resolving = self._models.get(key)
        return resolving.result if resolving else self._follower.result(key)

    def want(self, key: Key, request: ResolveRequest | None, follow: Follow | None = None) -> None:
        """Starts to resolve `request`, once or repeatedly with `follow`, and stops any other of the
        model."""
        if request is None:
            self.forget(key)
            return
        resolving = self._models.get(key)
        if follow:
            self._stop(key)
            first = resolving.result if resolving and resolving.request == request else None
            self._follower.want(key, request, follow, first)
        elif resolving is None or resolving.request != request:
            self.forget(key)
            started = _Resolving(request, self._timing.clock())
            self._models[key] = started
            started.task = asyncio.create_task(self._run(key, started))

    def grace_left(self, key: Key) -> float | None:
        """Returns the seconds for which a decision may wait for a first result; None for none.

        A followed reference has a revision, for which nothing waits.
        """
        resolving = self._models.get(key)
        if resolving is None or resolving.result:
            return None
        left = resolving.since + _GRACE - self._timing.clock()
        return left if left > 0 else None

    def forget(self, key: Key) -> None:
        """Stops resolving for a model."""
        self._registries.forget(key)
        self._follower.forget(key)
        self._stop(key)

    async def close(self) -> None:
        """Stops everything."""
        tasks = [resolving.task for resolving in self._models.values() if resolving.task]
        self._models.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self._requests.close()
        await self._follower.close()

    def _stop(self, key: Key) -> None:
        resolving = self._models.pop(key, None)
        if resolving and resolving.task:
            resolving.task.cancel()

    async def _run(self, key: Key, resolving: _Resolving) -> None:
        log_context.about(*key)
        wait, since = _FIRST_WAIT, None
        while resolving.result is None or resolving.result.uri is None:
            result = await self._requests.resolve(key, resolving.request, since)
            if result != resolving.result:
                resolving.result = result
                self._wake(key, False)
            if result.uri is None:
                since = self._timing.clock()
                await self._timing.sleep(self._timing.jitter(wait))
                wait = min(_LAST_WAIT, 2 * wait)
