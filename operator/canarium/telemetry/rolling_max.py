"""The maximum of the values of the last seconds, the same for every reader."""

from __future__ import annotations

from collections import deque


class RollingMax:
    """The values of the last `window` seconds that may still become the maximum.

    Reading has no side effects, so two Prometheus replicas get the same value.
    """

    def __init__(self, window: float) -> None:
        self._window = window
        #: Increasing times, with decreasing values.
        self._peaks: deque[tuple[float, float]] = deque()

    def add(self, now: float, value: float) -> None:
        while self._peaks and self._peaks[-1][1] <= value:
            self._peaks.pop()
        self._peaks.append((now, value))
        while self._peaks[0][0] <= now - self._window:
            self._peaks.popleft()

    def at(self, now: float) -> float:
        """Returns the maximum of the window that ends at `now`; 0 when it is empty."""
        return next((value for at, value in self._peaks if at > now - self._window), 0.0)
