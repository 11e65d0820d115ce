"""One file over HTTP: resumed or repeated when it breaks; size, attempts and time are bounded."""

from __future__ import annotations

import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from sandbox.releases.failures import Unavailable, WrongContent

_CHUNK = 1 << 16
# Answers that another attempt can change: timeout, too early, too many requests, failures.
_PASSING = {408, 416, 425, 429, *range(500, 600)}


class _Broken(Exception):
    """An attempt failed; another one may not."""


@dataclass(frozen=True, slots=True)
class Limits:
    """`silence` is the longest wait for more bytes, `seconds` the time for all attempts together:
    after five minutes most files have been built. The largest released binary has 100 MB.
    """

    attempts: int = 4
    pause: float = 0.5
    silence: float = 15.0
    seconds: float = 300.0
    size: int = 256 << 20


def transfer(url: str, target: Path, limits: Limits) -> bool:
    """Writes the file at `url` to `target`; returns whether it was put together from several parts.

    A broken attempt is followed by one for the rest, if the server offers that, else by one for the
    whole file. Raises Unavailable and, for a file above the limit of size, WrongContent.
    """
    target.unlink(missing_ok=True)
    deadline = time.monotonic() + limits.seconds
    reason = ""
    for attempt in range(limits.attempts):
        if attempt:
            time.sleep(limits.pause * 2 ** (attempt - 1))
        try:
            return _attempt(url, target, limits, deadline)
        except _Broken as broken:
            reason = str(broken)
        if time.monotonic() >= deadline:
            reason = f"not complete after {limits.seconds:.0f} s ({reason})"
            break
    raise Unavailable(f"{url}: {reason}", host_fails=True)


def _attempt(url: str, target: Path, limits: Limits, deadline: float) -> bool:
    """Receives what is missing of the file; returns whether that was only a part."""
    begun = target.stat().st_size if target.exists() else 0
    headers = {"Range": f"bytes={begun}-"} if begun else {}
    with _opened(urllib.request.Request(url, headers=headers), target, limits) as response:
        resumes = begun > 0 and response.status == http.client.PARTIAL_CONTENT
        # Another part than the requested one leads to another checksum, and so to a whole file.
        begun = begun if resumes else 0
        length = response.headers.get("Content-Length")
        if length is None or not length.isdigit():
            # Without it, a file that ends early looks like a whole one with a wrong checksum.
            raise Unavailable(f"{url}: the answer states no length", host_fails=False)
        total = begun + int(length)
        if total > limits.size:
            raise WrongContent(f"{url}: {total} bytes, more than any released binary has")
        with target.open("ab" if resumes else "wb") as file:
            for chunk in _chunks(response, deadline):
                file.write(chunk)
            received = file.tell()
    if received != total:
        raise _Broken(f"the connection ended after {received} of {total} bytes")
    return resumes


@contextmanager
def _opened(
    request: urllib.request.Request, target: Path, limits: Limits
) -> Iterator[http.client.HTTPResponse]:
    try:
        response = urllib.request.urlopen(request, timeout=limits.silence)
    except urllib.error.HTTPError as error:
        with error:
            reason = f"HTTP {error.code} {error.reason}"
        if error.code not in _PASSING:
            raise Unavailable(f"{request.full_url}: {reason}", host_fails=False) from None
        if error.code == http.client.REQUESTED_RANGE_NOT_SATISFIABLE:
            target.unlink(missing_ok=True)
        raise _Broken(reason) from error
    except (OSError, http.client.HTTPException) as error:
        raise _Broken(str(error)) from error
    with response:
        yield response


def _chunks(response: http.client.HTTPResponse, deadline: float) -> Iterator[bytes]:
    while True:
        if time.monotonic() >= deadline:
            raise _Broken("the transfer is too slow")
        try:
            # Returns what has arrived: `read` would wait for a whole chunk, beyond the deadline.
            chunk = response.read1(_CHUNK)
        except (OSError, http.client.HTTPException) as error:
            raise _Broken(str(error)) from error
        if not chunk:
            return
        yield chunk
