"""The candidate's progress as a decision reports it: the next step, and the time spent waiting.

Only the seconds in which the candidate waited for pods count: from `wait_start_time` while pods are
missing, added to `waited_seconds` when they are ready (R7).
"""

from __future__ import annotations

from canarium.api.effective_spec import Step
from canarium.api.status import Progress, StepStatus
from canarium.core.context.context import RolloutContext
from canarium.core.context.deadlines import last_ready
from canarium.core.context.position import current_step, step_above_granted, step_index
from canarium.core.facts.grant import pause_text, token_of
from canarium.core.times import parse, stamp


def next_step(ctx: RolloutContext) -> Step | None:
    """Returns the step to reach or hold; None when only the promotion remains (R11, R12)."""
    if ctx.strategy != "Canary" or ctx.progress.full or ctx.active_command("promote-full"):
        return None
    if ctx.target in ctx.promoted_revisions:
        return None
    step = current_step(ctx) or step_above_granted(ctx)
    return None if step and step.weight >= 100 and step.pause == 0 else step


def current_progress(ctx: RolloutContext) -> Progress:
    """Returns the progress with the settings of the rollout: strategy, steps, promote-full."""
    order = ctx.active_command("promote-full")
    command = token_of(order) if order else ctx.progress.command
    full = ctx.progress.full or order is not None
    steps = tuple(StepStatus(weight=x.weight, pause=pause_text(x.pause)) for x in ctx.steps)
    return ctx.progress.model_copy(
        update={"full": full, "command": command, "strategy": ctx.strategy, "steps": steps}
    )


def progress_waiting(ctx: RolloutContext, count: int) -> Progress:
    """Returns the progress with the wait clock running until `count` pods are ready.

    If `count` is above the current replicas, the clock was stopped while those were ready.
    """
    progress = current_progress(ctx)
    if progress.wait_start_time and ctx.observed.replicas(ctx.target) < count and last_ready(ctx):
        progress = progress_at(ctx, progress.weight)
    if progress.wait_start_time:
        return progress
    return progress.model_copy(update={"wait_start_time": stamp(ctx.now)})


def progress_at(ctx: RolloutContext, weight: int) -> Progress:
    """Returns the progress at `weight` with the wait clock stopped.

    It stopped when the last pod became ready, even if the operator observed that later.
    """
    p, last = ctx.progress, last_ready(ctx)
    ended = min(ctx.now, (last.ready_changed if last else None) or ctx.now)
    waited = p.waited_seconds + (
        max(0.0, ended - parse(p.wait_start_time)) if p.wait_start_time else 0.0
    )
    since = p.step_start_time if p.weight == weight else None
    return current_progress(ctx).model_copy(
        update={
            "step": step_index(ctx),
            "weight": weight,
            "step_start_time": since,
            "wait_start_time": None,
            "waited_seconds": round(waited, 3),
        }
    )
