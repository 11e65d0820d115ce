"""Caches credentials that expire, such as tokens, and obtains each by one request at a time.

Theory of operation:

* What a credential is for is its key, including a digest of the secret: an edit of the Secret is a
  new key, so nothing that was obtained before counts, neither a token nor a refusal.
* All who need the same credential wait for one request. A waiter that gives up does not end it.
* A failure is cached for a moment: a wrong secret is not repeated with every check, and locks no
  account out.
* Of a failure only the message and the reason are cached. An exception would keep the frames of its
  traceback alive, with the answer of the server and the secret of the client.
* Memory is bounded. Expired entries are removed, and beyond `MOST`, the namespace with the most
  credentials loses its oldest.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from canarium.api.reasons import CheckReason
from canarium.core.evidence.faulty_object import FaultyObject
from canarium.signals.credentials import Unavailable

T = TypeVar("T")
#: Namespace, and what the credential is for.
Key = tuple[str, ...]
#: Entries of the cache, over all namespaces.
MOST = 1024
#: Seconds before its expiry at which a credential is replaced; at most a quarter of its lifetime.
EARLY = 60.0
#: Seconds after which any credential is replaced: it may have been revoked.
LONGEST = 3600.0
#: Seconds for which a failure is cached, and between two removals of expired entries.
FAILED = 10.0


@dataclass(frozen=True, slots=True)
class Expiring(Generic[T]):
    """A credential, and the seconds for which it is valid from now."""

    value: T
    seconds: float


@dataclass(frozen=True, slots=True)
class _Failure:
    """Why a credential could not be obtained."""

    message: str
    reason: CheckReason
    faulty: FaultyObject | None = None


@dataclass(slots=True)
class _Entry:
    #: The request; None once it has ended.
    request: asyncio.Task[Expiring[Any]] | None
    #: How it ended.
    outcome: Expiring[Any] | _Failure | None = None
    #: When it ended, and when the outcome expires; monotonic seconds.
    obtained: float = 0.0
    expires: float = 0.0


class TokenCache:
    """Credentials by key. `clock` returns monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._entries: dict[Key, _Entry] = {}
        self._next_removal = 0.0

    async def get(self, key: Key, obtain: Callable[[], Awaitable[Expiring[T]]]) -> T:
        """Returns the credential of `key`, if necessary by `obtain`, whose exceptions it raises.

        While a failure is cached, it raises Unavailable.
        """
        self._remove_expired()
        entry = self._entries.get(key)
        if entry is None or self._expired(entry):
            entry = self._start(key, obtain)
        outcome = entry.outcome
        if entry.request:
            outcome = await asyncio.shield(entry.request)
        if isinstance(outcome, _Failure):
            raise Unavailable(outcome.message, outcome.reason, faulty=outcome.faulty)
        assert outcome is not None
        credential: Expiring[T] = outcome
        return credential.value

    def forget(self, key: Key, *, older: float = 0.0) -> None:
        """Removes a credential that a server refused, as it may have been revoked, unless it was
        obtained within the last `older` seconds."""
        entry = self._entries.get(key)
        if entry and not entry.request and self._clock() - entry.obtained >= older:
            del self._entries[key]

    async def close(self) -> None:
        """Ends all requests."""
        requests = [entry.request for entry in self._entries.values() if entry.request]
        self._entries.clear()
        for request in requests:
            request.cancel()
        await asyncio.gather(*requests, return_exceptions=True)

    def _start(self, key: Key, obtain: Callable[[], Awaitable[Expiring[T]]]) -> _Entry:
        async def run() -> Expiring[T]:
            return await obtain()

        request = asyncio.create_task(run())
        entry = _Entry(request)
        self._entries.pop(key, None)
        self._entries[key] = entry
        request.add_done_callback(lambda _: self._end(entry, request))
        self._shrink(key)
        return entry

    def _end(self, entry: _Entry, request: asyncio.Task[Expiring[Any]]) -> None:
        entry.request, entry.obtained = None, self._clock()
        # Reading the exception marks it as seen.
        error = asyncio.CancelledError() if request.cancelled() else request.exception()
        if error:
            entry.outcome, lifetime = _failure(error), FAILED
        else:
            entry.outcome = request.result()
            lifetime = min(entry.outcome.seconds, LONGEST)
            lifetime -= min(EARLY, lifetime / 4)
        entry.expires = entry.obtained + lifetime

    def _expired(self, entry: _Entry) -> bool:
        return entry.request is None and entry.expires <= self._clock()

    def _remove_expired(self) -> None:
        """Removes expired entries, at most once in `FAILED` seconds."""
        if self._clock() < self._next_removal:
            return
        self._next_removal = self._clock() + FAILED
        self._entries = {k: entry for k, entry in self._entries.items() if not self._expired(entry)}

    def _shrink(self, newest: Key) -> None:
        if len(self._entries) <= MOST:
            return
        counts: dict[str, int] = {}
        for namespace, *_ in self._entries:
            counts[namespace] = counts.get(namespace, 0) + 1
        most = max(counts, key=lambda namespace: counts[namespace])
        oldest = next(key for key in self._entries if key[0] == most and key != newest)
        # A request under way ends by itself, for those who wait for it.
        del self._entries[oldest]


def _failure(error: BaseException) -> _Failure:
    if isinstance(error, Unavailable):
        return _Failure(str(error), error.reason, error.faulty)
    # A defect, which its first waiters report.
    text = f"no credential could be obtained: {type(error).__name__}"
    return _Failure(text, CheckReason.INVALID_CREDENTIALS)
