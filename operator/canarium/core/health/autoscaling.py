"""Reports an autoscaler that cannot scale, with its own message (R29).

`Ready` is about the version and does not change; the condition `AutoscalerReady`, the message and
an Event report that the number of pods does not follow the load.
"""

from __future__ import annotations

from canarium.api.reasons import ConditionReason, ConditionType
from canarium.core.context.context import RolloutContext
from canarium.core.facts.observed import Autoscaler
from canarium.core.messages import sentences

#: Seconds for which a fault must last: pods that have just started have no metrics yet.
GRACE = 15.0


def reported(ctx: RolloutContext) -> tuple[tuple[str, bool, str, str], ...]:
    """Returns the condition `AutoscalerReady` while the model has an autoscaler."""
    autoscaler = _autoscaler(ctx)
    if autoscaler is None:
        return ()
    if autoscaler.fault is None or autoscaler.fault.since + GRACE > ctx.now:
        return ((ConditionType.AUTOSCALER_READY, True, ConditionReason.SCALING, ""),)
    text = f"HorizontalPodAutoscaler/{autoscaler.name}: {autoscaler.fault.message}"
    return ((ConditionType.AUTOSCALER_READY, False, autoscaler.fault.reason, text),)


def named(ctx: RolloutContext, message: str) -> str:
    """Returns `message` with the autoscaler's fault, if it has one."""
    for _, ready, reason, text in reported(ctx):
        if not ready:
            return sentences(message, f"{reason}: {text}")
    return message


def recheck(ctx: RolloutContext) -> float | None:
    """Returns the seconds until a new fault is reported; None without one."""
    autoscaler = _autoscaler(ctx)
    if autoscaler is None or autoscaler.fault is None:
        return None
    left = autoscaler.fault.since + GRACE - ctx.now
    return left if left > 0 else None


def _autoscaler(ctx: RolloutContext) -> Autoscaler | None:
    return ctx.observed.autoscaler(ctx.stable) if ctx.settings.autoscaled else None
