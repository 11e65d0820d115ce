"""Makes kopf list again after errors that would otherwise end the process.

An error in a watch, or a rejected watch, ends kopf's watcher and the process with it, unless it is
status 410. A new list recovers from each of them, as in our own reflectors, so every such error is
replaced by 410. What kopf retries by itself (no access, too many requests, server errors) is left
to it, with a backoff that never gives up.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import orjson

from canarium import PLURAL

#: Statuses after which kopf retries the same request, or gets new credentials.
_TRIED_AGAIN = frozenset({401, 403, 429})
_GONE = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}}
_LINE = orjson.dumps(_GONE) + b"\n"
#: How every ERROR event of an API server begins.
_ERROR = b'{"type":"ERROR"'


class EndlessBackoff:
    """Seconds between kopf's attempts at one request: growing, and never ending.

    The last value bounds how long after an outage a new spec is observed.
    """

    def __iter__(self) -> Iterator[float]:
        yield from (0.5, 1.0, 2.0)
        while True:
            yield 4.0


async def middleware(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Replaces errors of kopf's watches by status 410, after which kopf lists again.

    It is aiohttp middleware for the session of kopf.
    """
    response = await handler(request)
    if not (request.url.path.endswith(f"/{PLURAL}") and "watch" in request.url.query):
        return response
    refused = 400 <= response.status < 500 and response.status not in _TRIED_AGAIN
    if refused:
        response.status = 200
    if response.status == 200:
        response.content = _Events(response.content, refused)  # type: ignore[assignment]
    return response


class _Events:
    """The stream of a watch, with every error replaced by status 410."""

    def __init__(self, content: aiohttp.StreamReader, refused: bool) -> None:
        self._content, self._refused = content, refused

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """Yields whole lines, as they arrive."""
        if self._refused:
            yield _LINE
            return
        pending = b""
        async for chunk in self._content.iter_chunked(size):
            whole, newline, pending = (pending + chunk).rpartition(b"\n")
            if not newline:
                continue
            lines = whole.split(b"\n")
            yield b"".join(_LINE if x.startswith(_ERROR) else x + b"\n" for x in lines)
