"""A model that an older operator does not understand: its status then says so, and nothing else
of it is touched (R21).

The status is changed as it was found, not made anew: what a newer operator has written there is
all that it remembers, and this one does not know every field of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from canarium.core.moments import stamp

REASON = "NotUnderstood"


def told(raw: Mapping[str, Any], text: str, now: float) -> dict[str, Any]:
    """The status of the parent `raw` after it was found unreadable; `now` in POSIX seconds."""
    status: dict[str, Any] = dict(raw.get("status") or {})
    generation = raw["metadata"]["generation"]
    facts = {
        "Ready": ("False", REASON, text),
        "Progressing": ("False", REASON, ""),
        "Reconciling": ("False", REASON, ""),
        "Stalled": ("True", REASON, text),
    }
    old = {c["type"]: c for c in status.get("conditions") or ()}
    conditions = {**old}
    for kind, (value, reason, message) in facts.items():
        before = old.get(kind) or {}
        since = before.get("lastTransitionTime") if before.get("status") == value else None
        conditions[kind] = {
            "type": kind,
            "status": value,
            "reason": reason,
            "message": message,
            "lastTransitionTime": since or stamp(now),
            "observedGeneration": generation,
        }
    return {
        **status,
        "observedGeneration": generation,
        "phase": "Invalid",
        "message": text,
        "conditions": list(conditions.values()),
    }
