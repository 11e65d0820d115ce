"""Times of objects beside the moment at which they are seen."""

from __future__ import annotations

from canarium.core.times import parse


def seconds_since(time: str, now: float) -> float | None:
    """Returns the seconds from `time` (RFC 3339) until `now`; None if it is not a time."""
    moment = moment_of(time)
    return None if moment is None else max(0.0, now - moment)


def seconds_until(time: str, now: float) -> float | None:
    """Returns the seconds from `now` until `time` (RFC 3339), at least 0; None if it is not a
    time."""
    moment = moment_of(time)
    return None if moment is None else max(0.0, moment - now)


def moment_of(time: str) -> float | None:
    """Returns the POSIX seconds of an RFC 3339 time; None if it is not a time."""
    try:
        return parse(time) if time else None
    except (ValueError, OverflowError):
        return None


def short(seconds: float | None) -> str:
    """Returns a duration as kubectl writes ages: `45s`, `12m`, `3h20m`, `5d`; `-` if it is
    unknown."""
    if seconds is None:
        return "-"
    # Clocks differ: what another machine has just written may be in the future.
    whole = max(0, int(seconds))
    if whole < 120:
        return f"{whole}s"
    if whole < 7200:
        minutes, rest = divmod(whole, 60)
        return f"{minutes}m{rest}s" if minutes < 10 and rest else f"{minutes}m"
    if whole < 172_800:
        hours, rest = divmod(whole // 60, 60)
        return f"{hours}h{rest}m" if hours < 10 and rest else f"{hours}h"
    return f"{whole // 86_400}d"
