"""How long registries that limit requests (HTTP 429) are not asked again.

The wait is that of Retry-After, for one server and the credentials that it knows a client by: those
of a namespace's Secret, or none. Only requests that can wait respect it: a poll of a reference that
is followed. What a new revision needs is requested all the same, so the quota that is left is for
it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from canarium.sources.eviction import oldest_of_largest

#: Seconds for which a registry is believed, at most.
LONGEST = 600.0
#: Servers and credentials that are remembered; the namespace with the most loses its oldest (R31).
MOST = 1024
#: Digits of a number of seconds, and characters of a date, at most.
_MOST_DIGITS, _MOST_CHARACTERS = 9, 40
#: Namespace, Secret, and host with port.
Client = tuple[str, str | None, str]


class RateLimits:
    """Until when each client is not served; `clock` returns monotonic seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._until: dict[Client, float] = {}

    def note(self, client: Client, wait: float) -> None:
        """Remembers that `client` shall wait, for `LONGEST` seconds at most."""
        until = self._clock() + min(wait, LONGEST)
        until = max(until, self._until.pop(client, until))
        self._until[client] = until
        if len(self._until) > MOST:
            del self._until[oldest_of_largest(self._until, lambda client: client[0])]

    def left(self, client: Client) -> float:
        """Returns the seconds that `client` has to wait; 0 for none."""
        until = self._until.get(client)
        if until is None:
            return 0.0
        left = until - self._clock()
        if left <= 0:
            del self._until[client]
            return 0.0
        return left


def retry_after(header: str | None, now: datetime | None = None) -> float | None:
    """Returns the seconds in a header Retry-After, which may be a date; None without a wait."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS:
        return float(text) or None
    if not text or len(text) > _MOST_CHARACTERS:
        return None
    try:
        date = parsedate_to_datetime(text)
    except (ValueError, OverflowError):  # The zone of a date may have any number of digits.
        return None
    aware = date if date.tzinfo else date.replace(tzinfo=UTC)
    wait = (aware - (now or datetime.now(UTC))).total_seconds()
    return wait if wait > 0 else None
