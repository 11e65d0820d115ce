"""When each revision received traffic, from raw objects (decision 0010)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from canarium import GROUP
from canarium.core.facts.periods import Period, all_periods, current_periods, parse_periods
from canarium.view.ages import moment_of
from canarium.view.objects import Raw, annotation, text


@dataclass(frozen=True, slots=True)
class _Traffic:
    """The fields of `core.facts.traffic_record` that periods are read from. That module imports
    pydantic, which is too slow for the command line."""

    stable: str | None
    candidate: str | None
    promoted_at: str | None
    traffic_since: str | None
    images: str | None


def serving_periods(
    records: Iterable[Raw], traffic_object: Raw | None, history: Iterable[Raw]
) -> tuple[Period, ...]:
    """Returns when each revision of a model had traffic, the oldest period first.

    Sources: its records, `traffic_object` (the route, or else the Service, with the current traffic
    record), and the history in status, newest first.
    """
    recorded = [
        period
        for record in records
        for period in parse_periods(annotation(record, f"{GROUP}/served"))
    ]
    outcomes = [(text(x, "revision"), text(x, "outcome"), text(x, "time")) for x in history]
    return all_periods((*recorded, *current_periods(_traffic(traffic_object or {}))), outcomes)


def _traffic(traffic_object: Raw) -> _Traffic:
    def field(name: str) -> str | None:
        return annotation(traffic_object, f"{GROUP}/{name}") or None

    promoted_at = field("promoted-at")
    return _Traffic(
        field("stable"),
        field("candidate"),
        promoted_at if moment_of(promoted_at or "") is not None else None,
        field("traffic-since"),
        field("images"),
    )
