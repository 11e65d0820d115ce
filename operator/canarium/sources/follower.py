"""Asks registries again and again what the references that models follow stand for (R26).

One task for all models sends the requests that are due, at most `PER_SECOND` and `AT_ONCE` at a
time: with more models than that allows, each is asked about less often. A thousand models with the
default interval of two minutes send 8.3 requests per second, 30 per model and hour.

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
from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import count

from canarium.core.facts.resolution import Follow, Resolution, ResolveRequest
from canarium.kube.clock import Timing
from canarium.sources.registries import Key, Resolve

PER_SECOND, AT_ONCE = 10, 32
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
    #: When the next request is due, by the monotonic clock; None while one is under way.
    due: float | None
    result: Resolution | None
    #: The last answer, and how many requests have failed since.
    seen: str | None
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

    def result(self, key: Key) -> Resolution | None:
        """Returns the result of the last request."""
        known = self._models.get(key)
        return known.result if known else None

    def want(
        self, key: Key, request: ResolveRequest, follow: Follow, first: Resolution | None = None
    ) -> None:
        """Follows `request`; `first` is a result that is already there."""
        known = self._models.get(key)
        if known is None or known.request != request:
            if first:
                first = replace(first, confirmed=first.uri == follow.in_effect)
            known = _Followed(request, follow, None, first, first.uri if first else None)
            self._models[key] = known
            wait = self._varied(follow.interval)
            self._schedule(key, known, wait if first else self._timing.chance.random() * wait)
        elif known.follow != follow:
            old, known.follow = known.follow, follow
            if old.token != follow.token:
                self._hasten(key, known)
            elif old.interval != follow.interval and known.due is not None:
                self._schedule(key, known, self._varied(follow.interval))
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

    def _schedule(self, key: Key, known: _Followed, wait: float) -> None:
        known.due = self._timing.clock() + wait
        heapq.heappush(self._queue, (known.due, next(self._numbers), key))

    def _hasten(self, key: Key, known: _Followed) -> None:
        if known.due is None:
            known.again = True
            return
        now = self._timing.clock()
        earliest = now if known.last is None else max(now, known.last + LEAST)
        if earliest < known.due:
            self._schedule(key, known, earliest - now)

    async def _run(self) -> None:
        while self._models:
            await self._timing.sleep(self._start_next())

    def _start_next(self) -> float:
        """Sends the request that is due first; returns the seconds until the next may start."""
        now, pause = self._timing.clock(), 1 / PER_SECOND
        while self._queue:
            due, _, key = self._queue[0]
            known = self._models.get(key)
            if known is None or known.due != due:
                heapq.heappop(self._queue)
                continue
            if due > now:
                return min(max(due - now, pause), _TICK)
            if len(self._requests) < AT_ONCE:
                heapq.heappop(self._queue)
                known.due, known.last = None, now
                task = asyncio.create_task(self._ask(key, known))
                self._requests.add(task)
                task.add_done_callback(self._requests.discard)
            return pause
        return _TICK

    async def _ask(self, key: Key, known: _Followed) -> None:
        found = await self._resolve(key, known.request)
        if self._models.get(key) is not known:
            return
        result, wait = self._weighed(known, found)
        if known.again:
            known.again, wait = False, min(wait, LEAST)
        self._schedule(key, known, wait)
        if result != known.result:
            known.result = result
            self._wake(key, False)

    def _weighed(self, known: _Followed, found: Resolution) -> tuple[Resolution, float]:
        """Returns the result of a request and the seconds until the next one."""
        interval = known.follow.interval
        if found.uri is None:
            known.errors = min(known.errors + 1, _DOUBLINGS)
            return found, min(interval, self._timing.jitter(_FIRST_WAIT * 2**known.errors))
        agrees = found.uri in (known.seen, known.follow.in_effect)
        known.errors, known.seen = 0, found.uri
        result = replace(found, confirmed=agrees)
        return result, self._varied(interval) if agrees else min(interval, CONFIRM_AFTER)
