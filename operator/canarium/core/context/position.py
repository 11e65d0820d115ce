"""Where a rollout stands: the weight granted last, its pause, and what comes next.

See `core.facts.grant` for the theory. Everything here looks a weight up in the list of steps as it
is now, and never goes by a place in that list (R12).
"""

from __future__ import annotations

from canarium.api.effective_spec import Step
from canarium.api.status import CommandEcho, Progress
from canarium.core.context.context import RolloutContext
from canarium.core.facts.grant import BY_ITSELF, PROMOTE, pause_of, pause_text


def issued_by(order: CommandEcho) -> str:
    """Returns a command as the history names it."""
    return f"command {order.command}/{order.token}"


def stands(progress: Progress) -> bool:
    """Whether a weight was granted whose pause is not over."""
    return progress.pause is not None and progress.released is None


def standing(ctx: RolloutContext) -> Step | None:
    """The granted weight with the pause that applies to it now; None when nothing is held.

    The pause is that of the list's step of the same weight; where the list has none any more, the
    one under which the candidate stood.
    """
    return _held(ctx, ctx.progress)


def _held(ctx: RolloutContext, p: Progress) -> Step | None:
    if p.pause is None or p.released:
        return None
    pauses = [step.pause for step in ctx.steps if step.weight == p.granted]
    if pauses:
        return Step(p.granted, pauses[min(p.passed, len(pauses) - 1)])
    return Step(p.granted, pause_of(p.pause))


def following(ctx: RolloutContext) -> Step | None:
    """The first step above the granted weight; None when promotion follows."""
    p = ctx.progress
    above = (x for x in ctx.steps if x.weight > p.granted or (p.pause is None and not p.granted))
    step = next(above, None)
    return None if step and step.weight >= 100 and step.pause == 0 else step


def place(ctx: RolloutContext) -> int:
    """The index of the present step in the list, for display."""
    p = ctx.progress
    lower = sum(1 for step in ctx.steps if step.weight < p.granted)
    return min(lower + p.passed + (1 if p.released else 0), 64)


def granted(ctx: RolloutContext, step: Step, progress: Progress) -> Progress:
    """`progress` with the weight of `step` granted."""
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
    """`progress` with the present pause over; the next pause of the same weight begins, if the list
    has one."""
    pauses = [step.pause for step in ctx.steps if step.weight == progress.granted]
    n = progress.passed + 1
    if n < len(pauses):
        change = {"pause": pause_text(pauses[n]), "passed": n, "released": None}
    else:
        change = {"released": by}
    return progress.model_copy(update={**change, "step_start_time": None})


def refreshed(ctx: RolloutContext) -> Progress:
    """The progress with the pause that applies now, and with the strictest analysis so far: an edit
    takes no verdict away that the step needs. One that makes the pause Manual holds also a
    candidate that waits for the next weight's pods already."""
    p = ctx.progress
    if p.pause is None:
        return p
    pauses = [step.pause for step in ctx.steps if step.weight == p.granted]
    if p.released in BY_ITSELF and pauses and pauses[min(p.passed, len(pauses) - 1)] is None:
        p = p.model_copy(update={"released": None})
    step = _held(ctx, p)
    if step is None:
        return p
    now = analysis_of(ctx, step.weight)
    analysis = now if p.analysis in (None, PROMOTE) and now else p.analysis
    return p.model_copy(update={"pause": pause_text(step.pause), "analysis": analysis})


def analysis_of(ctx: RolloutContext, weight: int) -> str | None:
    """What the spec wants without a verdict on a step of `weight`; None when it needs none."""
    judging, routing = ctx.settings.analysis, ctx.settings.route
    if judging is None:
        return None
    mirrored = weight == 0 and judging.start_weight == 1 and routing is not None and routing.mirror
    return judging.on_insufficient if mirrored or weight >= judging.start_weight else None
