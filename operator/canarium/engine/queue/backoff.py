"""How long a failed key waits: longer with each failure, and with a crowd of failures."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from canarium.engine.queue.lane import Share
from canarium.engine.queue.urgency import Urgency

K = TypeVar("K", bound=Hashable)

#: Seconds of the first wait, before jitter: one lost write of a few costs a model little.
_FIRST = 0.05
#: The longest wait of a failed key, before jitter: what stands between the end of an outage, or of
#: a rejection, and the next attempt. A rollback is worth an attempt every two seconds, all else one
#: every five.
_LAST = {Urgency.FAULT: 1.6}
_LAST_ELSE = 4.0
#: Retries per second of one share at most, half of the default limit on writes. With more keys
#: failing than that allows for, each waits for longer, up to the longest wait.
_RETRIES_PER_SECOND = 100.0
_LONGEST = 60.0
#: By then the wait has long been at its cap.
_MOST_FAILURES = 16


class Backoff(Generic[K]):
    """Counts failures in a row of each key, and how many keys of each share have any."""

    def __init__(self, share: Callable[[K], Share], chance: random.Random) -> None:
        self._share, self._chance = share, chance
        self._failures: dict[K, int] = {}
        self._failing: Counter[Share] = Counter()

    def failed(self, key: K, urgency: Urgency, at_least: float = 0.0) -> float:
        """Counts a failure; returns the seconds until the next attempt.

        `at_least` is what the server asked for. It is exceeded by a jitter, so that clients that
        were rejected together do not return together.
        """
        share = self._share(key)
        if key not in self._failures:
            self._failing[share] += 1
        failures = self._failures[key] = min(self._failures.get(key, 0) + 1, _MOST_FAILURES)
        cap = max(
            _LAST.get(urgency, _LAST_ELSE),
            min(self._failing[share] / _RETRIES_PER_SECOND, _LONGEST),
        )
        wait = min(_FIRST * 2.0 ** (failures - 1), cap) * self._chance.uniform(0.8, 1.2)
        if at_least:
            wait = max(wait, min(at_least, _LONGEST) * self._chance.uniform(1.0, 1.2))
        return wait

    def succeeded(self, key: K) -> None:
        """Forgets the failures of a key: its next one begins with a short wait."""
        if self._failures.pop(key, None) is None:
            return
        share = self._share(key)
        self._failing[share] -= 1
        if self._failing[share] <= 0:
            # Left out, so that the names of old shares do not pile up.
            del self._failing[share]
