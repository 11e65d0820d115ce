"""The status of a model that is not managed: its old status with a few fields replaced."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from canarium.api.states import Phase
from canarium.core.messages import sentences
from canarium.core.status.condition_texts import meaning
from canarium.core.times import stamp

#: Condition type → status, reason, message.
Facts = Mapping[str, tuple[str, str, str]]


def status_with(
    raw: Mapping[str, Any], phase: Phase, text: str, facts: Facts, now: float
) -> dict[str, Any]:
    """Returns the status of the model `raw` with another phase, message and some conditions.

    `now` is in POSIX seconds; a condition keeps its transition time while its status is unchanged.
    """
    status: dict[str, Any] = dict(raw.get("status") or {})
    generation = raw["metadata"]["generation"]
    by_type = {c["type"]: c for c in status.get("conditions") or ()}
    conditions = {**by_type}
    for kind, (value, reason, message) in facts.items():
        before = by_type.get(kind) or {}
        since = before.get("lastTransitionTime") if before.get("status") == value else None
        conditions[kind] = {
            "type": kind,
            "status": value,
            "reason": reason,
            "message": sentences(message) or meaning(kind, value == "True"),
            "lastTransitionTime": since or stamp(now),
            "observedGeneration": generation,
        }
    return {
        **status,
        "observedGeneration": generation,
        "phase": phase.value,
        "message": text,
        "conditions": list(conditions.values()),
    }
