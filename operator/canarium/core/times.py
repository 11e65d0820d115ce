"""Times in text: RFC 3339 in the status, and the short form that messages use."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import lru_cache

# Most times that a decision reads or writes are those of the decision before it.

#: The range of `datetime`: times outside are formatted as its first or last moment.
_FIRST, _LAST = -62_135_596_800.0, 253_402_300_799.0


@lru_cache(4096)
def parse(text: str) -> float:
    """Returns the POSIX seconds of an RFC 3339 time in UTC. Raises ValueError."""
    return datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


def stamp(moment: float) -> str:
    """Returns RFC 3339 in UTC with milliseconds: short steps need more than whole seconds."""
    return _text(moment, "milliseconds")


def time_text(moment: float) -> str:
    """Returns a moment for a message: RFC 3339 in UTC, to the second."""
    return _text(moment, "seconds")


@lru_cache(4096)
def _text(moment: float, precision: str) -> str:
    time = datetime.fromtimestamp(min(max(moment, _FIRST), _LAST), UTC)
    return time.isoformat(timespec=precision).replace("+00:00", "Z")


def duration_text(seconds: float) -> str:
    """Returns a duration for a message, such as `1h30m` or `12s`."""
    whole = round(seconds)
    if whole < 60:
        return f"{seconds:g}s" if seconds < 10 else f"{whole}s"
    hours, rest = divmod(whole, 3600)
    minutes, left = divmod(rest, 60)
    return "".join(f"{n}{u}" for n, u in ((hours, "h"), (minutes, "m"), (left, "s")) if n)
