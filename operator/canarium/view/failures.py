"""Failures, from the status or from the annotation of a revision's record."""

from __future__ import annotations

import json

from canarium import GROUP
from canarium.view.objects import Raw, annotation, number, part, text
from canarium.view.tree import Failure


def failure_of(raw: Raw) -> Failure | None:
    """Returns a failure in the form of `status.failure`; None for an empty one."""
    if not raw:
        return None
    return Failure(
        revision=text(raw, "revision"),
        reason=text(raw, "reason"),
        message=text(raw, "message"),
        time=text(raw, "time"),
        pod=text(raw, "pod"),
        container=text(raw, "container"),
        observed=text(raw, "observed"),
        threshold=text(raw, "threshold"),
        samples=number(raw, "samples") if "samples" in raw else None,
        weight=number(raw, "weight") if "weight" in raw else None,
        step=text(raw, "step"),
    )


def failure_of_revision(revision: str, record: Raw, status: Raw) -> Failure | None:
    """Returns how a revision failed: from its record, or else from the status, which has the
    failure of the latest spec only. None if it did not fail, or neither has it."""
    reported = part(status, "failure")
    for raw in (_recorded(record), reported):
        if text(raw, "revision") == revision:
            return failure_of(raw)
    return None


def failed_at(weight: int | None, step: str) -> str:
    """Returns how much of the traffic a revision had when it failed, and the step, for a cell of a
    table; empty if that is unknown."""
    if weight is None:
        return ""
    share = f"{weight} %" if weight else "no traffic"
    return f"{share}, step {step}" if step else share


def _recorded(record: Raw) -> Raw:
    """Returns the failure that a record stores as JSON; empty without a valid one."""
    try:
        return part({"failure": json.loads(annotation(record, f"{GROUP}/failure"))}, "failure")
    except (ValueError, RecursionError):
        return {}
