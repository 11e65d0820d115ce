"""When each revision received traffic, stored where it survives the loss of the status.

A revision's record also holds the periods of the revisions before it, and the traffic record holds
the current one; `periods` reads them all (decision 0010). `bookkeeping.periods` decides what is
stored, and in which write.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from canarium.api.states import OutcomeKind
from canarium.core.facts import images
from canarium.core.facts.images import Images
from canarium.core.times import parse

#: Number of periods on a record; only versions that alternate all day would exceed it. No more are
#: read: users can edit the annotation, and it is read in every decision (R31).
STORED_PERIODS = 256


@dataclass(frozen=True, slots=True)
class Period:
    """A time in which `revision` had traffic; `promoted` is when it received all. RFC 3339."""

    revision: str
    began: str
    promoted: str | None = None
    ended: str | None = None
    #: Images that its pods ran.
    images: Images = field(default_factory=dict)


class TrafficFields(Protocol):
    """The fields of a traffic record that periods are read from; see `traffic_record`."""

    @property
    def stable(self) -> str | None: ...
    @property
    def candidate(self) -> str | None: ...
    @property
    def promoted_at(self) -> str | None: ...
    @property
    def traffic_since(self) -> str | None: ...
    @property
    def images(self) -> str | None: ...


#: An entry of the status' history: revision, outcome and time.
HistoryEntry = tuple[str, str, str]


def parse_periods(text: str | None) -> tuple[Period, ...]:
    """Returns the periods that a record stores (JSON); entries of another form are ignored."""
    entries = images.parse_json(text)
    if not isinstance(entries, list):
        return ()
    return tuple(period for entry in entries[-STORED_PERIODS:] if (period := _period(entry)))


def _period(entry: Any) -> Period | None:
    if not isinstance(entry, dict):
        return None
    began, promoted, ended = (entry.get(key) for key in ("from", "promoted", "until"))
    valid = _is_time(began) and all(x is None or _is_time(x) for x in (promoted, ended))
    if not valid or not isinstance(entry.get("revision"), str):
        return None
    run = images.images_from_json(entry.get("images"))
    return Period(entry["revision"], str(began), promoted, ended, run)


def _is_time(text: Any) -> bool:
    try:
        return bool(parse(text))
    except (ValueError, TypeError, AttributeError, OverflowError):
        return False


def last_to_receive(traffic_since: str | None) -> tuple[str, str]:
    """Returns the revision that was last to receive traffic, and since when, from the field
    `traffic_since` of a traffic record; two empty strings when that is missing or invalid."""
    name, _, at = (traffic_since or "").partition("/")
    return (name, at) if name and _is_time(at) else ("", "")


def period_to_json(period: Period) -> dict[str, Any]:
    """Returns a period as a JSON value, without its revision; empty fields are left out."""
    fields = {
        "from": period.began,
        "promoted": period.promoted,
        "until": period.ended,
        "images": images.images_to_json(period.images),
    }
    return {key: value for key, value in fields.items() if value}


def current_periods(traffic: TrafficFields) -> tuple[Period, ...]:
    """Returns the periods of the revisions that have traffic now."""
    stable, candidate, since = traffic.stable, traffic.candidate, traffic.promoted_at
    name, at = last_to_receive(traffic.traffic_since)
    current = []
    if stable and since:
        began = min(at, since) if name == stable else since
        run = images.parse_images_of(stable, traffic.images)
        current.append(Period(stable, began, since, images=run))
    if candidate and candidate == name:
        run = images.parse_images_of(candidate, traffic.images)
        current.append(Period(candidate, at, images=run))
    return tuple(current)


def all_periods(recorded: Iterable[Period], history: Iterable[HistoryEntry]) -> tuple[Period, ...]:
    """Returns all known periods, the oldest first.

    Duplicates in `recorded` are merged, and a known end takes precedence over none. `history`
    (newest first) fills gaps, such as the time before records had periods.
    """
    merged: dict[tuple[str, str], Period] = {}
    for one in recorded:
        old = merged.get(key(one), one)
        if old is one and not one.images:
            merged[key(one)] = one
            continue
        merged[key(one)] = replace(
            one,
            began=min(one.began, old.began),
            ended=old.ended or one.ended,
            images=images.merged((old.images, one.images)),
        )
    recorded_periods = _with_ends(list(merged.values()))
    gaps = [
        x for x in _from_history(list(history)) if not any(_overlap(x, y) for y in recorded_periods)
    ]
    return tuple(sorted(_with_ends([*recorded_periods, *gaps]), key=lambda x: x.began))


def key(period: Period) -> tuple[str, str]:
    """Returns what identifies a period: its revision, and when that was promoted or began."""
    return period.revision, period.promoted or period.began


def _with_ends(periods: list[Period]) -> list[Period]:
    """Returns the periods; that of a promoted revision ends with the next promotion at latest."""
    turns = sorted((x.promoted, x.revision) for x in periods if x.promoted)
    times = [at for at, _ in turns]
    # For each turn, the first later one of another revision.
    others = [len(turns)] * len(turns)
    for index in range(len(turns) - 2, -1, -1):
        same = turns[index][1] == turns[index + 1][1]
        others[index] = others[index + 1] if same else index + 1

    def end(one: Period) -> str | None:
        if one.ended or not one.promoted:
            return one.ended
        index = bisect_right(times, one.promoted)
        if index < len(turns) and turns[index][1] == one.revision:
            index = others[index]
        return times[index] if index < len(turns) else None

    ends = [end(one) for one in periods]
    return [
        x if x.ended == at else replace(x, ended=at) for x, at in zip(periods, ends, strict=True)
    ]


def _from_history(history: list[HistoryEntry]) -> list[Period]:
    """Returns the periods of stable revisions by promotions and undos (newest entry first)."""
    periods: list[Period] = []
    stable: list[str] = []
    for revision, outcome, at in reversed(history):
        before = stable[-1] if stable else None
        if outcome in (OutcomeKind.PROMOTED, OutcomeKind.TOOK_OVER) and before != revision:
            stable.append(revision)
        elif outcome == OutcomeKind.UNDONE and before == revision:
            stable.pop()
        after = stable[-1] if stable else None
        if before != after:
            periods = [
                replace(x, ended=x.ended or at) if x.revision == before else x for x in periods
            ]
            periods += [Period(after, at, at)] if after else []
    return periods


def _overlap(one: Period, other: Period) -> bool:
    def before(a: Period, b: Period) -> bool:
        return a.ended is not None and a.ended <= b.began

    same = one.revision == other.revision
    return same and not before(one, other) and not before(other, one)
