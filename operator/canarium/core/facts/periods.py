"""When each revision received traffic, stored where it survives the loss of the status.

A revision's record also holds the periods of the revisions before it, and the traffic record holds
the current one; `periods` reads them all (decision 0010). `bookkeeping.periods` decides what is
stored, and in which write.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from canarium.core.facts import images
from canarium.core.facts.images import Images
from canarium.core.facts.traffic_record import TrafficRecord
from canarium.core.times import parse


@dataclass(frozen=True, slots=True)
class Period:
    """A time in which `revision` had traffic, `promoted` being when it got all of it. Times are as
    we write them."""

    revision: str
    began: str
    promoted: str | None = None
    ended: str | None = None
    #: What its pods ran.
    images: Images = field(default_factory=dict)


#: What the status' history tells of: revision, outcome, and when.
Told = tuple[str, str, str]


def read(text: str | None) -> tuple[Period, ...]:
    """What a record tells; what somebody else wrote there is passed over."""
    try:
        told = list(json.loads(text or "[]"))
    except (ValueError, TypeError):
        return ()
    return tuple(found for one in told if (found := _period(one)))


def _period(told: Any) -> Period | None:
    if not isinstance(told, dict):
        return None
    began, promoted, ended = (told.get(key) for key in ("from", "promoted", "until"))
    good = _is_time(began) and all(x is None or _is_time(x) for x in (promoted, ended))
    if not good or not isinstance(told.get("revision"), str):
        return None
    return Period(told["revision"], str(began), promoted, ended, images.parsed(told.get("images")))


def _is_time(text: Any) -> bool:
    try:
        return bool(parse(text))
    except (ValueError, TypeError, AttributeError, OverflowError):
        return False


def newest(traffic_since: str | None) -> tuple[str, str]:
    """Who was given traffic last, and since when; empty when that is told nowhere."""
    name, _, at = (traffic_since or "").partition("/")
    return (name, at) if name and _is_time(at) else ("", "")


def plain(period: Period) -> dict[str, Any]:
    """A period as people read it."""
    found = {
        "from": period.began,
        "promoted": period.promoted,
        "until": period.ended,
        "images": images.plain(period.images),
    }
    return {key: value for key, value in found.items() if value}


def now(traffic: TrafficRecord) -> tuple[Period, ...]:
    """Returns the periods of those that have traffic now."""
    stable, candidate, since = traffic.stable, traffic.candidate, traffic.promoted_at
    name, at = newest(traffic.traffic_since)
    found = []
    if stable and since:
        began = min(at, since) if name == stable else since
        found.append(Period(stable, began, since, images=images.of(stable, traffic.images)))
    if candidate and candidate == name:
        found.append(Period(candidate, at, images=images.of(candidate, traffic.images)))
    return tuple(found)


def periods(noted: Iterable[Period], history: Iterable[Told]) -> tuple[Period, ...]:
    """All that is known, the oldest first. Of what is `noted` twice, the end goes before what had
    none yet; `history` (newest first) fills gaps, such as what was before there were notes."""
    found: dict[tuple[str, str], Period] = {}
    for one in noted:
        old = found.get(key(one), one)
        found[key(one)] = replace(
            one,
            began=min(one.began, old.began),
            ended=old.ended or one.ended,
            images=images.merged((old.images, one.images)),
        )
    known = _followed(list(found.values()))
    gaps = [x for x in _told(list(history)) if not any(_overlap(x, y) for y in known)]
    return tuple(sorted(_followed([*known, *gaps]), key=lambda x: x.began))


def key(period: Period) -> tuple[str, str]:
    """What makes two notes of one period the same: of whom, and when it was promoted or began."""
    return period.revision, period.promoted or period.began


def _followed(known: list[Period]) -> list[Period]:
    """Who was promoted and has no end yet had one when the next was promoted."""
    turns = sorted((x.promoted, x.revision) for x in known if x.promoted)

    def end(one: Period) -> str | None:
        if one.ended or not one.promoted:
            return one.ended
        after = (at for at, name in turns if name != one.revision and at > one.promoted)
        return next(after, None)

    return [replace(one, ended=end(one)) for one in known]


def _told(history: list[Told]) -> list[Period]:
    found: list[Period] = []
    stable: list[str] = []
    for revision, outcome, at in reversed(history):
        before = stable[-1] if stable else None
        if outcome == "Promoted" and before != revision:
            stable.append(revision)
        elif outcome == "Undone" and before == revision:
            stable.pop()
        after = stable[-1] if stable else None
        if before != after:
            found = [replace(x, ended=x.ended or at) if x.revision == before else x for x in found]
            found += [Period(after, at, at)] if after else []
    return found


def _overlap(one: Period, other: Period) -> bool:
    def before(a: Period, b: Period) -> bool:
        return a.ended is not None and a.ended <= b.began

    same = one.revision == other.revision
    return same and not before(one, other) and not before(other, one)
