"""A model that an older operator does not understand: its status then says so, and nothing else
of it is touched (R21).

The status is changed as it was found, not made anew: what a newer operator has written there is
all that it remembers, and this one does not know every field of it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from canarium.api.reasons import ConditionReason, ConditionType
from canarium.core.status.unmanaged import status_with

REASON = ConditionReason.UNSUPPORTED_SPEC.value


def told(raw: Mapping[str, Any], text: str, now: float) -> dict[str, Any]:
    """The status of the parent `raw` after it was found unreadable; `now` in POSIX seconds."""
    facts = {
        ConditionType.READY.value: ("False", REASON, text),
        ConditionType.PROGRESSING.value: ("False", REASON, ""),
        ConditionType.RECONCILING.value: ("False", REASON, ""),
        ConditionType.STALLED.value: ("True", REASON, text),
    }
    return status_with(raw, "Invalid", text, facts, now)
