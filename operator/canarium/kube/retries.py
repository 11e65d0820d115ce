"""Which rejected requests are sent again unchanged, and after which delay.

Only requests that the server has not carried out, as it states by 429, or 503 with Retry-After:
repeating them repeats no effect. Other failures (5xx, no response) may have had their effect: there
the caller decides again on what it then observes.
"""

from __future__ import annotations

from canarium.kube.clock import Timing
from canarium.kube.errors import ApiError
from canarium.kube.throttle import FIRST

_SHORTEST, _LONGEST = 0.1, 1.5
#: Total seconds of waits before a request is abandoned: its decision is outdated by then.
_TOTAL = 6.0
#: Longest wait of a rollback. It does not wait for as long as the server asks: Kubernetes' own
#: servers ask for a second by default, regardless of their load.
_FIRST_LONGEST = 0.25


class Retries:
    """The delays of one request, each with its own jitter."""

    def __init__(self, timing: Timing, urgency: int) -> None:
        self._timing, self._first = timing, urgency <= FIRST
        self._count, self._total = 0, 0.0

    def wait(self, error: ApiError) -> float | None:
        """Returns the seconds until the next attempt; None: raise `error`."""
        if not error.unprocessed:
            return None
        own = self._timing.jitter(min(_SHORTEST * 2.0**self._count, _LONGEST))
        requested = (error.retry_after or 0.0) * self._timing.chance.uniform(1.0, 1.2)
        wait = max(own, requested)
        if self._first:
            wait = min(wait, self._timing.jitter(_FIRST_LONGEST))
        self._count += 1
        self._total += wait
        return wait if self._total <= _TOTAL else None
