"""A line per model, those that need attention first."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from canarium.api.states import Phase
from canarium.view.ages import seconds_until
from canarium.view.attention import urgency
from canarium.view.objects import Raw, number, part, text
from canarium.view.revisions import age_of, target_of
from canarium.view.steps import position, steps
from canarium.view.tree import AttentionLevel

_ORDER = {member: place for place, member in enumerate(AttentionLevel)}


@dataclass(frozen=True, slots=True)
class Row:
    """One model of a list. `weight` is that of the candidate; None outside a rollout."""

    namespace: str
    name: str
    phase: str
    urgency: AttentionLevel
    attention: str
    version: str
    candidate: str
    target: str
    step: str
    weight: int | None
    effective_weight: int | None
    replicas: int
    ready_replicas: int
    waiting_for: str
    remaining_seconds: float | None
    age_seconds: float | None
    message: str


def row(model: Raw, now: float) -> Row:
    """Returns the line of one model at `now` (POSIX seconds)."""
    meta, status = part(model, "metadata"), part(model, "status")
    candidate, wait = part(status, "candidate"), part(status, "waitingFor")
    how_urgent, attention = urgency(model)
    return Row(
        namespace=text(meta, "namespace"),
        name=text(meta, "name"),
        phase=text(status, "phase") or Phase.PENDING.value,
        urgency=how_urgent,
        attention=attention,
        version=text(status, "version"),
        candidate=text(candidate, "version") or text(candidate, "revision"),
        target=target_of(model),
        # A model without a candidate is at no step, and one of a table has no spec.
        step=(position(steps(model)) if candidate else "") or text(status, "step"),
        weight=number(status, "weight") if candidate else None,
        effective_weight=number(candidate, "effectiveWeight") if candidate else None,
        replicas=number(status, "replicas"),
        ready_replicas=number(status, "readyReplicas"),
        waiting_for=text(wait, "reason"),
        remaining_seconds=seconds_until(text(wait, "expectedEndTime"), now),
        age_seconds=age_of(model, now),
        message=text(status, "message"),
    )


def fleet(models: Iterable[Raw], now: float) -> tuple[Row, ...]:
    """Returns a line per model: the most urgent first, then by namespace and name."""
    return tuple(sorted((row(model, now) for model in models), key=order))


def later(row: Row, seconds: float) -> Row:
    """Returns the line as it is after some seconds in which the model did not change."""
    age, left = row.age_seconds, row.remaining_seconds
    return replace(
        row,
        age_seconds=None if age is None else age + seconds,
        remaining_seconds=None if left is None else max(0.0, left - seconds),
    )


def order(row: Row) -> tuple[int, str, str]:
    """Returns the place of a line among others: the most urgent first, then by name."""
    return _ORDER[row.urgency], row.namespace, row.name
