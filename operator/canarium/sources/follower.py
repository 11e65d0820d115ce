"""Asks registries again and again what the references that models follow stand for (R26).

Models of a namespace that follow the same reference, with the same endpoint and Secret, share its
requests: the answer is a result for each of them. One task starts the requests that are due. They
wait for the turn of their namespace: `PER_SECOND` for all, and `SHARE` at a time for each
namespace. With more references than that allows, those of the namespace with the most are asked
about less often, and a registry that does not answer delays only its own namespace. A thousand
references with the default interval of two minutes cost 8.3 requests per second, 30 per hour each;
a thousand models that follow one reference cost 30 per hour together.

- **Interval**: the shortest of the models that share a reference, up to a tenth shorter or longer
  each time, so that references do not stay in step. The first request of an operator that has just
  started follows at a random moment of the interval.
- **Debounce**: a result other than the one in effect counts once two successive answers agree. The
  second request follows `CONFIRM_AFTER` seconds after the first answer.
- **A reference that flaps** (see `flapping`) has no new result until it is steady, and the result
  in effect has the reason, also after a retry or an edit of the spec. After an answer that differs
  from the one before, the next request follows after the interval, as usual; after one that agrees,
  within `CONFIRM_AFTER` until enough agree.
- **A model that joins**: only answers to requests that were sent after it began to follow count for
  it, as an earlier one may be as old as the interval. That one is a result if it is in effect;
  otherwise the next request follows within `CONFIRM_AFTER`. An answer that the record of a model
  needed is the first of two for all that follow the reference.
- **A changed annotation** makes a request due at once, but not within `LEAST` seconds of the last
  one. An operator that has just started does not know the last value, and changes nothing.
- **Limits**: a registry that limits requests is not asked before it wants to be.
- **Errors**: requests are repeated ever less often, up to the interval. An error between two
  answers changes nothing for the debounce.
"""

from __future__ import annotations

import asyncio
import heapq
import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count

from canarium.api.reasons import ConditionReason, SpecReason
from canarium.core.facts.resolution import Follow, Resolution, ResolveRequest
from canarium.kube.clock import Timing
from canarium.kube.turns import FairTurns
from canarium.sources.flapping import MOST_CHANGES, QUIET, STEADY, Flapping, FormerReferences
from canarium.sources.registries import Key, Resolve
from canarium.sources.shared_requests import Reference
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
_FLAPPING = (
    f"what {{uri}} names changed more than {MOST_CHANGES} times within an hour. Nothing new is "
    f"rolled out until {STEADY} successive answers agree, for {QUIET / 60:.0f} minutes or longer"
)


@dataclass(eq=False)
class _Followed:
    """A model that follows a reference; answers to requests after the number `joined` count."""

    request: ResolveRequest
    follow: Follow
    joined: int = 0
    result: Resolution | None = None
    #: The URI of the last answer that counts, and whether the one before it had the same.
    last_uri: str | None = None
    agrees: bool = False


@dataclass(eq=False)
class _Polled:
    """A reference, and the models that follow it."""

    reference: Reference
    flapping: Flapping
    models: dict[Key, _Followed] = field(default_factory=dict)
    #: When the next request is due, by the monotonic clock; None while one waits or is under way.
    due: float | None = None
    #: The last answer, the number of requests that have failed since, the number of all requests,
    #: and when the last one was sent.
    answer: Resolution | None = None
    errors: int = 0
    sent: int = 0
    last: float | None = None
    #: Whether an annotation changed, or a model joined, during a request.
    again: bool = False

    @property
    def interval(self) -> float:
        """Seconds between two requests: the shortest that a model asks for."""
        return min(followed.follow.interval for followed in self.models.values())

    def confirms(self, followed: _Followed, uri: str | None) -> bool:
        """Returns whether the last answer, `uri`, is a result for a model."""
        if uri == followed.follow.in_effect:
            return True
        return not self.flapping.active and followed.agrees and uri == followed.last_uri

    def weigh(self, followed: _Followed, answer: Resolution) -> bool:
        """Takes the last answer as the result of a model; returns whether that is new."""
        before, result = followed.result, replace(answer, request=followed.request)
        if result.uri is not None:
            result = replace(result, confirmed=self.confirms(followed, result.uri))
            if self.flapping.active:
                message = _FLAPPING.format(uri=result.request.uri)
                result = replace(result, reason=ConditionReason.SOURCE_FLAPPING, message=message)
        followed.result = result
        return result != before


class Follower:
    """Follows references through `resolve`; `wake(key, urgent)` is called for a new result, and
    `wait_left(namespace, request)` returns the seconds for which a registry wants no requests."""

    def __init__(
        self,
        resolve: Resolve,
        wake: Callable[[Key, bool], None],
        timing: Timing,
        wait_left: Callable[[str, ResolveRequest], float] = lambda namespace, request: 0.0,
    ) -> None:
        self._resolve, self._wake, self._timing = resolve, wake, timing
        self._wait_left = wait_left
        self._models: dict[Key, _Polled] = {}
        self._references: dict[Reference, _Polled] = {}
        self._former = FormerReferences()
        #: (due, number, reference), with outdated entries, which are skipped.
        self._queue: list[tuple[float, int, Reference]] = []
        self._numbers = count()
        self._task: asyncio.Task[None] | None = None
        self._requests: set[asyncio.Task[None]] = set()
        self._turns = FairTurns(AT_ONCE, SHARE, PER_SECOND, timing=timing)
        self._error_log = ErrorLog(log)

    def result(self, key: Key) -> Resolution | None:
        """Returns the result of the last request."""
        polled = self._models.get(key)
        return polled.models[key].result if polled else None

    def want(
        self, key: Key, request: ResolveRequest, follow: Follow, first: Resolution | None = None
    ) -> None:
        """Follows `request`; `first` is a result that is already there."""
        polled = self._models.get(key)
        followed = polled.models[key] if polled else None
        if polled is None or followed is None or followed.request != request:
            self.forget(key)
            self._join(key, _Followed(request, follow), first)
        elif followed.follow != follow:
            old, before = followed.follow, polled.interval
            followed.follow = follow
            if old.token != follow.token:
                self._hasten(polled)
            elif before != polled.interval and polled.due is not None:
                self._schedule(polled, self._varied(polled.interval))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run())

    def forget(self, key: Key) -> None:
        """Stops following for a model; the answer to a request that is under way is dropped."""
        polled = self._models.pop(key, None)
        if polled:
            del polled.models[key]
            if not polled.models:
                del self._references[polled.reference]
                self._former.keep(polled.reference, polled.flapping, self._timing.clock())

    async def close(self) -> None:
        """Stops everything."""
        self._models.clear()
        self._references.clear()
        tasks = [*self._requests, *([self._task] if self._task else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _join(self, key: Key, followed: _Followed, first: Resolution | None) -> None:
        reference = Reference.of(key, followed.request)
        polled = self._references.get(reference)
        wait = self._varied(followed.follow.interval)
        if polled is None:
            flapping = self._former.take(reference, self._timing.clock())
            polled = self._references[reference] = _Polled(reference, flapping)
            self._schedule(polled, wait if first else self._timing.chance.random() * wait)
        elif polled.due is not None and polled.due > self._timing.clock() + wait:
            self._schedule(polled, wait)
        self._models[key] = polled
        polled.models[key] = followed
        followed.joined = polled.sent
        answer, differs = polled.answer, False
        if first and first.uri:
            differs = answer is not None and answer.uri not in (None, first.uri)
            polled.answer = answer = first
            polled.flapping.note_first(first.uri, self._timing.clock())
            # The first of two that have to agree.
            for other in polled.models.values():
                other.last_uri, other.agrees = first.uri, False
        if answer:
            polled.weigh(followed, answer)
            if differs or (answer.uri and not polled.confirms(followed, answer.uri)):
                self._hasten(polled, CONFIRM_AFTER)

    def _varied(self, interval: float) -> float:
        return interval * self._timing.chance.uniform(1 - _SPREAD, 1 + _SPREAD)

    def _schedule(self, polled: _Polled, wait: float) -> None:
        polled.due = self._timing.clock() + wait
        heapq.heappush(self._queue, (polled.due, next(self._numbers), polled.reference))

    def _hasten(self, polled: _Polled, wait: float = 0.0) -> None:
        """Makes a request due in `wait` seconds, or as soon as it is allowed."""
        if polled.due is None:
            polled.again = True
            return
        now = self._timing.clock()
        earliest = now + wait
        if polled.last is not None:
            earliest = max(earliest, polled.last + LEAST)
        if earliest < polled.due:
            self._schedule(polled, earliest - now)

    async def _run(self) -> None:
        while self._models:
            await self._timing.sleep(self._start_due())

    def _start_due(self) -> float:
        """Starts the requests that are due; returns the seconds until the next check."""
        now = self._timing.clock()
        while self._queue:
            due, _, reference = self._queue[0]
            polled = self._references.get(reference)
            if polled is None or polled.due != due:
                heapq.heappop(self._queue)
                continue
            if due > now:
                return min(max(due - now, 1 / PER_SECOND), _TICK)
            heapq.heappop(self._queue)
            if self._postponed(polled):
                continue
            polled.due = None
            task = asyncio.create_task(self._ask(polled))
            self._requests.add(task)
            task.add_done_callback(self._requests.discard)
        return _TICK

    def _postponed(self, polled: _Polled) -> bool:
        """Returns whether a request was postponed because the registry wants none now."""
        request = next(iter(polled.models.values())).request
        left = self._wait_left(polled.reference.namespace, request)
        if left <= 0:
            return False
        # Not all at the same moment.
        spread = self._timing.chance.random() * _SPREAD * polled.interval
        self._schedule(polled, left + spread)
        return True

    async def _ask(self, polled: _Polled) -> None:
        reference = polled.reference
        async with self._turns.turn(reference.namespace):
            if self._references.get(reference) is not polled or self._postponed(polled):
                return
            # What changed while the request waited has its request now.
            polled.again, polled.last = False, self._timing.clock()
            polled.sent += 1
            key, followed = next(iter(polled.models.items()))
            log_context.about(*key)
            answer = await self._resolution(key, followed.request)
        if self._references.get(reference) is not polled:
            return
        polled.answer, wait = answer, self._noted(polled, answer)
        if polled.again:
            polled.again, wait = False, min(wait, LEAST)
        self._schedule(polled, wait)
        for key, followed in list(polled.models.items()):
            if polled.weigh(followed, answer):
                self._wake(key, False)

    async def _resolution(self, key: Key, request: ResolveRequest) -> Resolution:
        try:
            return await self._resolve(key, request)
        except Exception as error:
            # Without an answer, the reference would never be asked about again.
            text = self._error_log.report(key, "/".join(key), "following its source", error)
            message = f"{request.uri} could not be resolved: {text}"
            return Resolution(request, reason=SpecReason.SOURCE_UNAVAILABLE, message=message)

    def _noted(self, polled: _Polled, answer: Resolution) -> float:
        """Notes an answer for models for which it counts; returns the seconds until the next
        request."""
        interval = polled.interval
        if answer.uri is None:
            polled.errors = min(polled.errors + 1, _DOUBLINGS)
            return min(interval, self._timing.jitter(_FIRST_WAIT * 2**polled.errors))
        polled.errors = 0
        for followed in polled.models.values():
            if followed.joined < polled.sent:
                followed.agrees = answer.uri == followed.last_uri
                followed.last_uri = answer.uri
        polled.flapping.note(answer.uri, self._timing.clock())
        if polled.flapping.active:
            can_wait = polled.flapping.changed or polled.flapping.agrees
        else:
            can_wait = all(polled.confirms(f, answer.uri) for f in polled.models.values())
        return self._varied(interval) if can_wait else min(interval, CONFIRM_AFTER)
