"""A client that sends requests all the time, each on a new connection."""

from __future__ import annotations

import http.client
import itertools
import threading
import time
import urllib.error
import urllib.request
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Answer:
    """One request: when it was sent (monotonic seconds) and which version answered, if any;
    otherwise the error, and after how many seconds."""

    at: float
    version: str | None
    fault: str = ""


class Client:
    """Asks `url` at most `rate` times a second until `stop`, and for `longest` seconds at most.

    `bodies` (JSON) are posted in turn; `read` finds the version in an answer.
    """

    def __init__(
        self,
        url: str,
        *,
        rate: float = 40.0,
        longest: float = 600.0,
        bodies: Sequence[bytes] = (),
        read: Callable[[bytes], str] = bytes.decode,
    ) -> None:
        self._pause, self._longest, self._read = 1 / rate, longest, read
        headers = {"Content-Type": "application/json"} if bodies else {}
        self._requests = itertools.cycle(
            [urllib.request.Request(url, data=body, headers=headers) for body in bodies or (None,)]
        )
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.answers: list[Answer] = []
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(10)

    def since(self, moment: float) -> Counter[str | None]:
        """Answers by version since a moment of `time.monotonic`; None counts failed requests."""
        return Counter(a.version for a in list(self.answers) if a.at >= moment)

    def failed(self) -> int:
        return sum(1 for a in list(self.answers) if a.version is None)

    def faults(self) -> str:
        """The failed requests, for an assertion's message: seconds since the first request."""
        answers = list(self.answers)
        return "; ".join(
            f"{a.at - answers[0].at:.2f}: {a.fault}" for a in answers if a.version is None
        )

    def _run(self) -> None:
        end = time.monotonic() + self._longest
        while not self._stop.is_set() and time.monotonic() < end:
            at, fault = time.monotonic(), ""
            try:
                with urllib.request.urlopen(next(self._requests), timeout=5) as response:
                    version = self._read(response.read())
            except (OSError, http.client.HTTPException) as error:
                version, fault = None, f"{error!r} after {time.monotonic() - at:.2f} s"
                if isinstance(error, urllib.error.HTTPError):
                    error.close()
            self.answers.append(Answer(at, version, fault))
            self._stop.wait(max(0.0, self._pause - (time.monotonic() - at)))
