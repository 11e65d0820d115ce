"""What a stable revision that took over still owes before it counts as promoted (decision 0011).

It has all traffic, so its steps are owed as one pause: the sum of their durations since it became
stable, or a command where one of them is Manual or needs a verdict, for which there is no other
version to compare with.
"""

from __future__ import annotations

from dataclasses import replace

from canarium.api.effective_spec import MANUAL
from canarium.core.context.context import RolloutContext
from canarium.core.context.gates import Gate, holding, holding_bake
from canarium.core.context.position import analysis_of
from canarium.core.facts.grant import pause_of, pause_text, token_of
from canarium.core.facts.takeover import Takeover
from canarium.core.times import parse, stamp


def takeover_after(ctx: RolloutContext, takeover: Takeover) -> Takeover:
    """Returns what the record has to state: the pause by the spec, a clock without the time of
    pauses, and the command of this decision.

    An edit that removes the steps does not end the pause (R12).
    """
    pause = _pause_of_steps(ctx) or takeover.pause or pause_text(0.0)
    time = takeover.time
    if ctx.paused_for:
        time = stamp(min(ctx.now, parse(time) + ctx.paused_for))
    orders = (ctx.active_command(command) for command in ("promote", "promote-full"))
    order = next((token_of(order) for order in orders if order), takeover.released)
    return replace(takeover, time=time, pause=pause, released=order)


def _pause_of_steps(ctx: RolloutContext) -> str | None:
    if ctx.settings.strategy != "Canary" or not ctx.settings.steps:
        return None
    steps = ctx.settings.steps
    durations = [step.pause for step in steps if step.pause is not None]
    needs_verdict = any(analysis_of(ctx, step.weight) is not None for step in steps)
    is_manual = needs_verdict or len(durations) < len(steps)
    return MANUAL if is_manual else pause_text(sum(durations))


def stands_at_pause(ctx: RolloutContext) -> bool:
    """Returns whether stable took over and owes a pause, which the command promote ends."""
    takeover = ctx.takeover
    if takeover is None or not ctx.is_unreleased or takeover.released:
        return False
    ends = pause_ends(ctx, replace(takeover, pause=_pause_of_steps(ctx) or takeover.pause))
    return ends is None or ends > ctx.now


def pause_ends(ctx: RolloutContext, takeover: Takeover) -> float | None:
    """Returns when the pause ends by itself (POSIX seconds); None if only a command ends it."""
    pause = pause_of(takeover.pause) if takeover.pause else 0.0
    return parse(takeover.time) + pause if pause is not None else None


def owed_gates(ctx: RolloutContext) -> tuple[Gate, ...]:
    """Returns the gates without a positive result: there is no bake in which one could pass."""
    return (*holding(ctx, None), *holding_bake(ctx))
