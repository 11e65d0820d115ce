"""Asks registries again and again what the references that models follow stand for (R26).

One task for all models starts the requests that are due. They wait for the turn of their namespace:
`PER_SECOND` for all, and `SHARE` at a time for each namespace. With more models than that allows,
those of the namespace with the most are asked about less often, and a registry that does not answer
delays only its own namespace. A thousand models with the default interval of two minutes send 8.3
requests per second, 30 per model and hour.

- **Interval**: up to a tenth shorter or longer each time, so that models do not stay in step. The
  first request of an operator that has just started follows at a random moment of the interval.
- **Debounce**: a result other than the one in effect counts once two successive answers agree. The
  second request follows `CONFIRM_AFTER` seconds after the first answer.
- **A changed annotation** makes a request due at once, but not within `LEAST` seconds of the last
  one. An operator that has just started does not know the last value, and changes nothing.
- **Errors**: requests are repeated ever less often, up to the interval. An error between two
  answers changes nothing for the debounce.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count

from canarium.api.reasons import SpecReason
from canarium.core.facts.resolution import Follow, Resolution, ResolveRequest
from canarium.kube.clock import Timing
from canarium.kube.turns import FairTurns
from canarium.sources.registries import Key, Resolve
from canarium.telemetry import log_context
from canarium.untrusted.error_log import ErrorLog

log = logging.getLogger(__name__)
#: Requests that start per second, that all namespaces have under way unless they are slow, and that
#: one namespace has.
PER_SECOND, AT_ONCE, SHARE = 10, 32, 8
#: Seconds.
CONFIRM_AFTER, LEAST = 5.0, 5.0
#: Seconds until the first repetition after an error, doubled each time.
_FIRST_WAIT = 5.0
#: Doublings of that wait, at most: the interval is the bound.
_DOUBLINGS = 16
#: An interval varies by this share.
_SPREAD = 0.1
#: Seconds between two checks of what is due, at most: an annotation may have changed.
_TICK = 1.0


@dataclass(eq=False)
class _Followed:
    request: ResolveRequest
    follow: Follow
    #: When the next request is due, by the monotonic clock; None while one waits or is under way.
    due: float | None
    result: Resolution | None
    #: The URI of the last result, and how many requests have failed since.
    last_uri: str | None
    errors: int = 0
    last: float | None = None
    #: Whether the annotation changed during a request.
    again: bool = False


class Follower:
    """Follows references through `resolve`; `wake(key, urgent)` is called for a new result."""

    def __init__(self, resolve: Resolve, wake: Callable[[Key, bool], None], timing: Timing) -> None:
        self._resolve, self._wake, self._timing = resolve, wake, timing
        self._models: dict[Key, _Followed] = {}
        #: (due, number, model), with outdated entries, which are skipped.
        self._queue: list[tuple[float, int, Key]] = []
        self._numbers = count()
        self._task: asyncio.Task[None] | None = None
        self._requests: set[asyncio.Task[None]] = set()
        self._turns = FairTurns(AT_ONCE, SHARE, PER_SECOND, timing=timing)
        self._error_log = ErrorLog(log)

    def result(self, key: Key) -> Resolution | None:
        """Returns the result of the last request."""
        followed = self._models.get(key)
        return followed.result if followed else None

    def want(
        self, key: Key, request: ResolveRequest, follow: Follow, first: Resolution | None = None
    ) -> None:
        """Follows `request`; `first` is a result that is already there."""
        followed = self._models.get(key)
        if followed is None or followed.request != request:
            if first:
                first = replace(first, confirmed=first.uri == follow.in_effect)
            followed = _Followed(request, follow, None, first, first.uri if first else None)
            self._models[key] = followed
            wait = self._varied(follow.interval)
            self._schedule(key, followed, wait if first else self._timing.chance.random() * wait)
        elif followed.follow != follow:
            old, followed.follow = followed.follow, follow
            if old.token != follow.token:
                self._hasten(key, followed)
            elif old.interval != follow.interval and followed.due is not None:
                self._schedule(key, followed, self._varied(follow.interval))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    def forget(self, key: Key) -> None:
        """Stops following for a model; the answer to a request that is under way is dropped."""
        self._models.pop(key, None)

    async def close(self) -> None:
        """Stops everything."""
        self._models.clear()
        tasks = [*self._requests, *([self._task] if self._task else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _varied(self, interval: float) -> float:
        return interval * self._timing.chance.uniform(1 - _SPREAD, 1 + _SPREAD)

    def _schedule(self, key: Key, followed: _Followed, wait: float) -> None:
        followed.due = self._timing.clock() + wait
        heapq.heappush(self._queue, (followed.due, next(self._numbers), key))

    def _hasten(self, key: Key, followed: _Followed) -> None:
        if followed.due is None:
            followed.again = True
            return
        now = self._timing.clock()
        earliest = now if followed.last is None else max(now, followed.last + LEAST)
        if earliest < followed.due:
            self._schedule(key, followed, earliest - now)

    async def _run(self) -> None:
        while self._models:
            await self._timing.sleep(self._start_due())

    def _start_due(self) -> float:
        """Starts the requests that are due; returns the seconds until the next check."""
        now = self._timing.clock()
        while self._queue:
            due, _, key = self._queue[0]
            followed = self._models.get(key)
            if followed is None or followed.due != due:
                heapq.heappop(self._queue)
                continue
            if due > now:
                return min(max(due - now, 1 / PER_SECOND), _TICK)
            heapq.heappop(self._queue)
            followed.due = None
            task = asyncio.create_task(self._ask(key, followed))
            self._requests.add(task)
            task.add_done_callback(self._requests.discard)
        return _TICK

    async def _ask(self, key: Key, followed: _Followed) -> None:
        log_context.about(*key)
        async with self._turns.turn(key[0]):
            if self._models.get(key) is not followed:
                return
            # An annotation that changed while the request waited has its request now.
            followed.again, followed.last = False, self._timing.clock()
            resolution = await self._resolution(key, followed.request)
        if self._models.get(key) is not followed:
            return
        result, wait = self._weighed(followed, resolution)
        if followed.again:
            followed.again, wait = False, min(wait, LEAST)
        self._schedule(key, followed, wait)
        if result != followed.result:
            followed.result = result
            self._wake(key, False)

    async def _resolution(self, key: Key, request: ResolveRequest) -> Resolution:
        try:
            return await self._resolve(key, request)
        except Exception as error:
            # Without an answer, the model would never be asked about again.
            text = self._error_log.report(key, "/".join(key), "following its source", error)
            message = f"{request.uri} could not be resolved: {text}"
            return Resolution(request, reason=SpecReason.SOURCE_UNAVAILABLE, message=message)

    def _weighed(self, followed: _Followed, resolution: Resolution) -> tuple[Resolution, float]:
        """Returns the result of a request and the seconds until the next one."""
        interval = followed.follow.interval
        if resolution.uri is None:
            followed.errors = min(followed.errors + 1, _DOUBLINGS)
            return resolution, min(interval, self._timing.jitter(_FIRST_WAIT * 2**followed.errors))
        agrees = resolution.uri in (followed.last_uri, followed.follow.in_effect)
        followed.errors, followed.last_uri = 0, resolution.uri
        result = replace(resolution, confirmed=agrees)
        return result, self._varied(interval) if agrees else min(interval, CONFIRM_AFTER)
