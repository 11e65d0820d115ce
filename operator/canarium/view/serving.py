"""When each revision received traffic, from raw objects (decision 0010)."""

from __future__ import annotations

from collections.abc import Iterable

from canarium import GROUP
from canarium.core.facts.periods import Period, all_periods, current_periods, parse_periods
from canarium.core.facts.traffic_record import TrafficRecord
from canarium.view.objects import Raw, annotation, part, text


def served(
    records: Iterable[Raw], witness: Raw | None, history: Iterable[Raw]
) -> tuple[Period, ...]:
    """Returns when each revision of a model had traffic, the oldest period first.

    Sources: its records, `witness` (the route, or else the Service, with the current traffic
    record), and the history in status, newest first.
    """
    recorded = [
        period
        for record in records
        for period in parse_periods(annotation(record, f"{GROUP}/served"))
    ]
    outcomes = [(text(x, "revision"), text(x, "outcome"), text(x, "time")) for x in history]
    notes = part(witness, "metadata", "annotations")
    traffic = TrafficRecord.from_annotations({k: v for k, v in notes.items() if isinstance(v, str)})
    return all_periods((*recorded, *current_periods(traffic)), outcomes)
