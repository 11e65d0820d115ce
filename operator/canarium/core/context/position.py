"""The position of a rollout: the weight granted last, its pause, and the next step.

See `core.facts.grant` for the theory. Everything here finds a weight in the current list of steps
and never depends on an index into that list (R12).
"""

from __future__ import annotations

from collections.abc import Iterable

from canarium.api.effective_spec import Step
from canarium.api.status import Progress
from canarium.core.context.context import RolloutContext
from canarium.core.facts.grant import BY_ITSELF, PROMOTE, pause_of, pause_text


def is_at_pause(progress: Progress) -> bool:
    """Returns whether the pause of the granted weight is not over."""
    return progress.pause is not None and progress.released is None


def current_step(ctx: RolloutContext) -> Step | None:
    """Returns the granted weight with its current pause; None when no pause is in effect.

    The pause is that of the step with the same weight; if the list has no such step any more, the
    one with which the weight was granted.
    """
    return _current_step(ctx, ctx.progress)


def _current_step(ctx: RolloutContext, p: Progress) -> Step | None:
    if p.pause is None or p.released:
        return None
    pauses = [step.pause for step in ctx.steps if step.weight == p.granted]
    if pauses:
        return Step(p.granted, pauses[min(p.passed, len(pauses) - 1)])
    return Step(p.granted, pause_of(p.pause))


def step_above_granted(ctx: RolloutContext) -> Step | None:
    """Returns the first step above the granted weight; None when promotion follows."""
    p = ctx.progress
    above = (x for x in ctx.steps if x.weight > p.granted or (p.pause is None and not p.granted))
    step = next(above, None)
    return None if step and step.weight >= 100 and step.pause == 0 else step


def step_index(ctx: RolloutContext) -> int:
    """Returns the index of the current step in the list, for display."""
    return index_among((step.weight for step in ctx.steps), ctx.progress)


def index_among(weights: Iterable[int], progress: Progress) -> int:
    """Returns the index of the step that `progress` is at, or on its way to, among steps of
    `weights`."""
    lower = sum(1 for weight in weights if weight < progress.granted)
    return min(lower + progress.passed + (1 if progress.released else 0), 64)


def granted(ctx: RolloutContext, step: Step, progress: Progress) -> Progress:
    """Returns `progress` with the weight of `step` granted."""
    return progress.model_copy(
        update={
            "granted": step.weight,
            "pause": pause_text(step.pause),
            "analysis": analysis_of(ctx, step.weight),
            "passed": 0,
            "released": None,
            "step_start_time": None,
        }
    )


def released(ctx: RolloutContext, progress: Progress, by: str) -> Progress:
    """Returns `progress` with the current pause over; another step of the same weight continues
    with its own pause."""
    pauses = [step.pause for step in ctx.steps if step.weight == progress.granted]
    n = progress.passed + 1
    if n < len(pauses):
        change = {"pause": pause_text(pauses[n]), "passed": n, "released": None}
    else:
        change = {"released": by}
    return progress.model_copy(update={**change, "step_start_time": None})


def refreshed(ctx: RolloutContext) -> Progress:
    """Returns the progress with the current pause, and with the strictest analysis so far.

    An edit of the spec cannot drop the verdict that a step needs. An edit that makes the pause
    Manual also holds a candidate that already waits for the pods of the next weight.
    """
    p = ctx.progress
    if p.pause is None:
        return p
    pauses = [step.pause for step in ctx.steps if step.weight == p.granted]
    if p.released in BY_ITSELF and pauses and pauses[min(p.passed, len(pauses) - 1)] is None:
        p = p.model_copy(update={"released": None})
    step = _current_step(ctx, p)
    if step is None:
        return p
    current = analysis_of(ctx, step.weight)
    analysis = current if p.analysis in (None, PROMOTE) and current else p.analysis
    return p.model_copy(update={"pause": pause_text(step.pause), "analysis": analysis})


def analysis_of(ctx: RolloutContext, weight: int) -> str | None:
    """Returns `onInsufficientData` for a step of `weight`; None when it needs no verdict."""
    judging, routing = ctx.settings.analysis, ctx.settings.route
    if judging is None:
        return None
    mirrored = weight == 0 and judging.start_weight == 1 and routing is not None and routing.mirror
    return judging.on_insufficient if mirrored or weight >= judging.start_weight else None
