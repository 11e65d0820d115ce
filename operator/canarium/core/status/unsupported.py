"""Reports a spec that this operator does not support. The model is otherwise left alone (R21).

The existing status is patched, not rebuilt: a newer operator may have written fields that this one
does not know and that the newer one needs when it is back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from canarium.api.reasons import ConditionReason, ConditionType
from canarium.api.states import Phase
from canarium.core.status.unmanaged import status_with

REASON = ConditionReason.UNSUPPORTED_SPEC.value


def status_of(raw: Mapping[str, Any], text: str, now: float) -> dict[str, Any]:
    """Returns the status of the model `raw` with an unsupported spec; `now` in POSIX seconds."""
    facts = {
        ConditionType.READY.value: ("False", REASON, text),
        ConditionType.PROGRESSING.value: ("False", REASON, ""),
        ConditionType.RECONCILING.value: ("False", REASON, ""),
        ConditionType.STALLED.value: ("True", REASON, text),
    }
    return status_with(raw, Phase.INVALID, text, facts, now)
