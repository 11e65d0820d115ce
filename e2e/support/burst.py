"""A bounded number of requests over kept connections, counted by who answered."""

from __future__ import annotations

import http.client
import threading
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field


@dataclass
class Burst:
    """Results of requests: answers by version, by the version in the header, and faults."""

    versions: Counter[str] = field(default_factory=Counter)
    header_versions: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    @property
    def total(self) -> int:
        return self.versions.total() + len(self.faults)


def burst(
    url: str, count: int, *, headers: Mapping[str, str] | None = None, threads: int = 4
) -> Burst:
    """Sends `count` requests to `url` as fast as `threads` connections get answers."""
    address, result = url.removeprefix("http://"), Burst()

    def some(number: int) -> Burst:
        part = Burst()
        connection = http.client.HTTPConnection(address, timeout=5)
        for _ in range(number):
            try:
                connection.request("GET", "/", headers=dict(headers or {}))
                answer = connection.getresponse()
                text = answer.read().decode()
            except (OSError, http.client.HTTPException) as error:
                part.faults.append(repr(error))
                connection.close()
                continue
            if answer.status != 200:
                part.faults.append(f"status {answer.status}")
                continue
            part.versions[text] += 1
            part.header_versions[answer.headers.get("x-canarium-version", "")] += 1
        connection.close()
        return part

    with ThreadPoolExecutor(threads) as pool:
        for part in pool.map(some, _shares(count, threads)):
            result.versions += part.versions
            result.header_versions += part.header_versions
            result.faults += part.faults
    return result


def _shares(count: int, threads: int) -> Iterator[int]:
    for number in range(threads):
        yield count // threads + (number < count % threads)


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer: when it was asked for (seconds since the epoch), and the version; or None."""

    at: float
    version: str | None
    fault: str = ""


class Caller:
    """Asks at a rate, one request after the other on a kept connection, until `stop`.

    A fault that is `forgiven` counts in `lost` and not in `failed`.
    """

    def __init__(
        self,
        url: str,
        *,
        rate: float,
        headers: Mapping[str, str] | None = None,
        longest: float = 300.0,
        forgiven: str | None = None,
    ) -> None:
        self._forgiven = forgiven
        self._address, self._headers = url.removeprefix("http://"), dict(headers or {})
        self._pause, self._longest = 1 / rate, longest
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.replies: list[Reply] = []
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(10)

    def failed(self) -> list[Reply]:
        return [
            reply
            for reply in list(self.replies)
            if reply.version is None and reply.fault != self._forgiven
        ]

    def lost(self) -> list[Reply]:
        return [
            reply
            for reply in list(self.replies)
            if reply.version is None and reply.fault == self._forgiven
        ]

    def first(self, version: str, since: float, seconds: float = 10) -> float:
        """Seconds from `since` (by `time.time`) to the first request after it that `version`
        answered. Waits for it; raises AssertionError when there is none within `seconds`."""
        end = time.monotonic() + seconds
        while True:
            for reply in list(self.replies):
                if reply.at >= since and reply.version == version:
                    return reply.at - since
            assert time.monotonic() < end, f"no answer of {version} in {seconds} s"
            time.sleep(0.02)

    def last(self, version: str, since: float) -> float:
        """Seconds from `since` to the last request that `version` answered; 0 without one."""
        return max((r.at - since for r in self.replies if r.version == version), default=0.0)

    def _run(self) -> None:
        connection = http.client.HTTPConnection(self._address, timeout=5)
        end = time.monotonic() + self._longest
        while not self._stop.is_set() and (began := time.monotonic()) < end:
            at = time.time()
            try:
                connection.request("GET", "/", headers=self._headers)
                answer = connection.getresponse()
                text, good = answer.read().decode(), answer.status == 200
                reply = Reply(at, text if good else None, "" if good else f"{answer.status}")
            except (OSError, http.client.HTTPException) as error:
                reply = Reply(at, None, repr(error))
                connection.close()
            self.replies.append(reply)
            self._stop.wait(max(0.0, self._pause - (time.monotonic() - began)))
        connection.close()
