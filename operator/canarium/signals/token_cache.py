"""Keeps credentials that expire, such as tokens, and obtains each by one request at a time.

Theory of operation:

* What a credential is for is its key, including a digest of the secret: an edit of the Secret is a
  new key, so nothing that was obtained before counts, neither a token nor a refusal.
* All who need the same credential wait for one request. A waiter that gives up does not end it.
* A refusal is kept for a moment: a wrong secret is not repeated with every check, and locks no
  account out.
* Memory is bounded. Beyond `MOST`, the namespace with the most credentials loses its oldest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

T = TypeVar("T")
#: Namespace, and what the credential is for.
Key = tuple[str, ...]
#: Credentials that are kept, over all namespaces.
MOST = 1024
#: Seconds before its expiry at which a credential is replaced; at most a quarter of its lifetime.
EARLY = 60.0
#: Seconds after which any credential is replaced: it may have been revoked.
LONGEST = 3600.0
#: Seconds for which a failure is kept.
FAILED = 10.0


@dataclass(frozen=True, slots=True)
class Expiring(Generic[T]):
    """A credential, and the seconds for which it is valid from now."""

    value: T
    seconds: float


@dataclass(slots=True)
class _Kept:
    task: asyncio.Task[Expiring[Any]]
    #: When it is replaced; None while it is being obtained.
    until: float | None = None


class TokenCache:
    """Credentials by key. `clock` returns monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._kept: dict[Key, _Kept] = {}

    async def get(self, key: Key, obtain: Callable[[], Awaitable[Expiring[T]]]) -> T:
        """Returns the credential of `key`, if necessary by `obtain`, whose exceptions it raises."""
        kept = self._kept.get(key)
        if kept is None or (kept.until is not None and kept.until <= self._clock()):
            kept = self._start(key, obtain)
        credential: Expiring[T] = await asyncio.shield(kept.task)
        return credential.value

    def forget(self, key: Key) -> None:
        """Drops a credential that a server refused: it may have been revoked."""
        kept = self._kept.get(key)
        if kept and kept.until is not None:
            del self._kept[key]

    async def close(self) -> None:
        """Ends all requests."""
        tasks = [kept.task for kept in self._kept.values()]
        self._kept.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _start(self, key: Key, obtain: Callable[[], Awaitable[Expiring[T]]]) -> _Kept:
        async def run() -> Expiring[T]:
            return await obtain()

        kept = _Kept(asyncio.create_task(run()))
        self._kept.pop(key, None)
        self._kept[key] = kept
        kept.task.add_done_callback(lambda task: self._done(kept, task))
        self._shrink(key)
        return kept

    def _done(self, kept: _Kept, task: asyncio.Task[Expiring[Any]]) -> None:
        if task.cancelled() or task.exception():  # Reading it marks the exception as seen.
            kept.until = self._clock() + FAILED
            return
        lifetime = min(task.result().seconds, LONGEST)
        kept.until = self._clock() + lifetime - min(EARLY, lifetime / 4)

    def _shrink(self, newest: Key) -> None:
        if len(self._kept) <= MOST:
            return
        counts: dict[str, int] = {}
        for namespace, *_ in self._kept:
            counts[namespace] = counts.get(namespace, 0) + 1
        most = max(counts, key=lambda namespace: counts[namespace])
        oldest = next(key for key in self._kept if key[0] == most and key != newest)
        # A request under way ends by itself, for those who wait for it.
        del self._kept[oldest]
