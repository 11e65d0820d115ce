"""Makes kopf read its list again where it would end the process.

An error inside a watch, or a refused one, ends kopf's watcher and the process with it, unless it
is 410 Gone. A new list heals each of them, as it does in our own reflectors, so that is what kopf
is told. What kopf tries again by itself (no access, too many requests, a fault of the server) is
left to it, and its patience has no end.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import orjson

from canarium import PLURAL

#: Answers after which kopf tries the same request again, or has new credentials.
_TRIED_AGAIN = frozenset({401, 403, 429})
_GONE = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}}
_LINE = orjson.dumps(_GONE) + b"\n"
#: Every ERROR event of an API server begins so, whatever follows.
_ERROR = b'{"type":"ERROR"'


class EndlessBackoff:
    """Seconds between kopf's attempts at one request: longer each time, without end.

    The last is what a user waits for after an outage until a new spec is seen.
    """

    def __iter__(self) -> Iterator[float]:
        yield from (0.5, 1.0, 2.0)
        while True:
            yield 4.0


async def middleware(
    request: aiohttp.ClientRequest, handler: aiohttp.ClientHandlerType
) -> aiohttp.ClientResponse:
    """Of aiohttp: for the session that kopf gets."""
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
    """The stream of a watch, with every error in it told as 410 Gone."""

    def __init__(self, content: aiohttp.StreamReader, refused: bool) -> None:
        self._content, self._refused = content, refused

    def __getattr__(self, name: str) -> Any:
        return getattr(self._content, name)

    async def iter_chunked(self, size: int) -> AsyncIterator[bytes]:
        """Whole lines, as far as they have come."""
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
