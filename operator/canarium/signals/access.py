"""Shares connections, memory for responses, and evaluations between namespaces.

All of it is bounded per namespace or divided fairly, so that servers and expressions of one
namespace cannot delay the facts of another (R31).
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from canarium.api.reasons import CheckReason
from canarium.evaluation.pool import Pool
from canarium.signals.errors import NoAnswer
from canarium.signals.http_client import HttpClient, Response

#: Concurrent requests of one namespace. Further ones wait before their timeout starts: a slow
#: server delays only its own namespace.
AT_ONCE = 24
#: Bytes of responses being received, over all namespaces.
RECEIVING = 32 << 20


class Dropped(NoAnswer):
    """A response was dropped: memory ran out, and this namespace used most of it."""

    reason = CheckReason.EVALUATION_UNAVAILABLE


@dataclass(eq=False)
class _Receiving:
    namespace: str
    scope: asyncio.Timeout
    size: int = 0
    dropped: bool = False


class SharedResources:
    """The HTTP client and the worker processes, shared between namespaces."""

    def __init__(self, web: HttpClient, pool: Pool | None = None) -> None:
        self.web, self.pool = web, pool or Pool()
        self._turns: dict[str, asyncio.Semaphore] = {}
        self._receiving: set[_Receiving] = set()

    def of(self, namespace: str) -> NamespaceAccess:
        return NamespaceAccess(self, namespace)

    async def close(self) -> None:
        await self.pool.close()
        await self.web.close()

    def turn(self, namespace: str) -> asyncio.Semaphore:
        if len(self._turns) > 1024:
            self._turns = {name: turn for name, turn in self._turns.items() if turn.locked()}
        return self._turns.setdefault(namespace, asyncio.Semaphore(AT_ONCE))

    def begin(self, namespace: str, scope: asyncio.Timeout) -> _Receiving:
        receiving = _Receiving(namespace, scope)
        self._receiving.add(receiving)
        return receiving

    def end(self, receiving: _Receiving) -> None:
        self._receiving.discard(receiving)

    def grow(self, receiving: _Receiving, size: int) -> None:
        """Counts bytes; beyond the bound, drops the largest response of the namespace with the
        most.

        Raises Dropped if it is this one.
        """
        receiving.size += size
        while sum(r.size for r in self._receiving) > RECEIVING:
            held: dict[str, int] = {}
            for other in self._receiving:
                held[other.namespace] = held.get(other.namespace, 0) + other.size
            most = max(held, key=lambda name: held[name])
            victim = max((r for r in self._receiving if r.namespace == most), key=lambda r: r.size)
            self._receiving.discard(victim)
            victim.dropped = True
            if victim is receiving:
                raise _dropped()
            victim.scope.reschedule(0)


class NamespaceAccess:
    """The share of one namespace."""

    def __init__(self, shared: SharedResources, namespace: str) -> None:
        self._shared, self._namespace = shared, namespace

    async def request(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        patience: float = 10.0,
        tls: ssl.SSLContext | None = None,
        pod: bool = False,
        exact: bool = False,
        longest: int | None = None,
        proxy: str | None = None,
    ) -> Response:
        """Sends one request, once it is the namespace's turn. Raises NoAnswer."""
        shared = self._shared
        async with shared.turn(self._namespace):
            receiving: _Receiving | None = None
            try:
                async with asyncio.timeout(None) as scope:
                    receiving = shared.begin(self._namespace, scope)
                    held = receiving
                    return await shared.web.request(
                        method,
                        url,
                        body=body,
                        headers=headers,
                        query=query,
                        patience=patience,
                        tls=tls,
                        pod=pod,
                        exact=exact,
                        longest=longest,
                        proxy=proxy,
                        received=lambda size: shared.grow(held, size),
                    )
            except TimeoutError as error:
                raise _dropped() from error
            finally:
                if receiving:
                    shared.end(receiving)

    @asynccontextmanager
    async def keeping(self, size: int) -> AsyncIterator[None]:
        """Counts `size` bytes of an answer that is kept, as if it was still being received.

        Raises Dropped when memory runs out and this namespace uses most of it.
        """
        try:
            async with asyncio.timeout(None) as scope:
                kept = self._shared.begin(self._namespace, scope)
                try:
                    self._shared.grow(kept, size)
                    yield
                finally:
                    self._shared.end(kept)
        except TimeoutError as error:
            raise _dropped() from error

    async def evaluate(
        self, task: str, *blobs: bytes, **arguments: Any
    ) -> tuple[dict[str, Any], list[bytes]]:
        """Evaluates off the event loop. Raises EvaluationError."""
        return await self._shared.pool.evaluate(self._namespace, task, *blobs, **arguments)


def _dropped() -> Dropped:
    return Dropped("the answers of this namespace take too much of the operator's memory at once")
