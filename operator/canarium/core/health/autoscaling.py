"""An autoscaler that cannot work, in its own words (R29).

`Ready` is about the version and stays as it is; the condition `AutoscalerReady`, the message and an
Event say that the number of pods will not follow the load.
"""

from __future__ import annotations

from canarium.api.reasons import ConditionReason, ConditionType
from canarium.core.context.context import Situation
from canarium.core.facts.observed import Autoscaler
from canarium.core.messages import sentences

#: Seconds that a fault must last: metrics of pods that have just started are not there at once.
GRACE = 15.0


def reported(s: Situation) -> tuple[tuple[str, bool, str, str], ...]:
    """The condition, where a HorizontalPodAutoscaler is asked for and exists."""
    found = _autoscaler(s)
    if found is None:
        return ()
    if found.fault is None or found.fault.since + GRACE > s.now:
        return ((ConditionType.AUTOSCALER_READY, True, ConditionReason.SCALING, ""),)
    text = f"HorizontalPodAutoscaler {found.name}: {found.fault.message}"
    return ((ConditionType.AUTOSCALER_READY, False, found.fault.reason, text),)


def named(s: Situation, message: str) -> str:
    """`message` with the autoscaler's fault, if it has one."""
    for _, ready, reason, text in reported(s):
        if not ready:
            return sentences(message, f"{reason}: {text}")
    return message


def recheck(s: Situation) -> float | None:
    """Seconds until a fault that is new counts."""
    found = _autoscaler(s)
    if found is None or found.fault is None:
        return None
    left = found.fault.since + GRACE - s.now
    return left if left > 0 else None


def _autoscaler(s: Situation) -> Autoscaler | None:
    return s.observed.autoscaler(s.stable) if s.settings.autoscaled else None
