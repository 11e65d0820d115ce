"""Progress as log lines: seldom enough for a log, often enough to see that it moves."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

_EVERY = 5.0


def amount(size: float) -> str:
    """Bytes for people, in powers of 1000."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


class DownloadProgress:
    """Counts bytes towards `total` (None: unknown) and logs the progress every few seconds. `watch`
    receives every block too, and may raise."""

    def __init__(
        self,
        what: str,
        total: int | None,
        say: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        watch: Callable[[int], None] = lambda _: None,
    ) -> None:
        self._what, self._total, self._say, self._clock = what, total, say, clock
        self._watch = watch
        self._lock = threading.Lock()
        self._began = self._reported = clock()
        self._initial = self.done = 0

    def keep(self, size: int) -> None:
        """Bytes that were there before."""
        self._initial += size
        self.done += size

    def add(self, size: int) -> None:
        self._watch(size)
        with self._lock:
            self.done += size
            now = self._clock()
            if now - self._reported < _EVERY:
                return
            self._reported = now
        self._say(self.line())

    def line(self) -> str:
        spent = max(self._clock() - self._began, 1e-6)
        rate = (self.done - self._initial) / spent
        text = f"{self._what} {amount(self.done)}"
        if self._total:
            text += f" of {amount(self._total)} ({100 * self.done // self._total} %)"
        text += f", {amount(rate)}/s"
        if self._total and rate > 0 and self.done < self._total:
            text += f", {(self._total - self.done) / rate:.0f} s left"
        return text
