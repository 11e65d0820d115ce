"""First results of references (R26): how many requests are sent, and which models share one (R31).

Models of a namespace with the same URI, endpoint and Secret share a request that still waits for
its turn. For the first attempt of a model, one that has been sent is not shared: its answer may be
older than the spec that asks. A repetition takes an answer that is newer than the last failure and
at most `MOST_AGE` old, so that a registry which is away is asked once in that time.

Within a namespace, first attempts precede repetitions: hundreds of models whose registry is away
delay no new one. Polls of references that are followed delay neither: the `follower` has its own
limits.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace

from canarium.core.facts.resolution import Resolution, ResolveRequest
from canarium.kube.clock import Timing
from canarium.kube.turns import FairTurns
from canarium.sources.registries import Key, Resolve

#: Requests that start per second, that all namespaces have under way unless they are slow, and that
#: one namespace has.
PER_SECOND, AT_ONCE, SHARE = 20, 32, 8
#: Seconds for which an answer is valid for repetitions of other models.
MOST_AGE = 5.0
#: Number of requests whose answers are kept for repetitions, and of those under way.
_KEPT = 1024


@dataclass(frozen=True, slots=True)
class Reference:
    """What requests of different models have in common if one answer is valid for all of them.

    Never across namespaces: credentials are those of a namespace, and one whose servers are slow
    would delay others.
    """

    namespace: str
    uri: str
    endpoint: str
    secret: str | None

    @classmethod
    def of(cls, key: Key, request: ResolveRequest) -> Reference:
        """Returns the reference in a request of the model `key`."""
        return cls(key[0], request.uri, request.endpoint, request.secret)


@dataclass(eq=False)
class _Shared:
    """A request, and how many models wait for it; `sent`: when it was sent, None before;
    `repeats`: whether it waits for first attempts."""

    repeats: bool
    task: asyncio.Task[Resolution] | None = None
    sent: float | None = None
    waiting: int = 0


class SharedRequests:
    """Sends requests through `resolve`, each in its turn."""

    def __init__(self, resolve: Resolve, timing: Timing) -> None:
        self._resolve, self._timing = resolve, timing
        self._turns = FairTurns(AT_ONCE, SHARE, PER_SECOND, burst=PER_SECOND, timing=timing)
        #: The latest request for each reference, also after its end, oldest first.
        self._latest: dict[Reference, _Shared] = {}
        self._tasks: set[asyncio.Task[Resolution]] = set()

    async def resolve(
        self, key: Key, request: ResolveRequest, since: float | None = None
    ) -> Resolution:
        """Returns the result of a request that is sent from now on; for a repetition also of one
        that was sent a moment ago, after `since` (monotonic seconds)."""
        reference = Reference.of(key, request)
        shared = self._latest.get(reference)
        if shared is None or not self._is_new_enough(shared, since):
            shared = self._start(reference, key, request, repeats=since is not None)
        assert shared.task is not None
        shared.waiting += 1
        try:
            # One that gives up does not end the request of others.
            return replace(await asyncio.shield(shared.task), request=request)
        finally:
            shared.waiting -= 1
            if not shared.waiting and shared.sent is None:
                shared.task.cancel()
                if self._latest.get(reference) is shared:
                    del self._latest[reference]

    async def close(self) -> None:
        """Ends all requests."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _start(
        self, reference: Reference, key: Key, request: ResolveRequest, *, repeats: bool
    ) -> _Shared:
        shared = _Shared(repeats)
        self._latest.pop(reference, None)
        self._latest[reference] = shared
        if len(self._latest) > _KEPT:
            ended = (r for r, other in self._latest.items() if other.task and other.task.done())
            if oldest := next(ended, None):
                del self._latest[oldest]
        shared.task = task = asyncio.create_task(self._send(shared, key, request))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return shared

    def _is_new_enough(self, shared: _Shared, since: float | None) -> bool:
        if shared.sent is None:
            return since is not None or not shared.repeats
        oldest = self._timing.clock() - MOST_AGE
        return since is not None and shared.sent > max(since, oldest)

    async def _send(self, shared: _Shared, key: Key, request: ResolveRequest) -> Resolution:
        async with self._turns.turn(key[0], shared.repeats):
            shared.sent = self._timing.clock()
            return await self._resolve(key, request)
