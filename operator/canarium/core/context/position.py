"""Where a rollout stands: the weight granted last, its pause, and what comes next.

See `core.facts.grant` for the theory. Everything here looks a weight up in the list of steps as it
is now, and never goes by a place in that list (R12).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from canarium.api.effective_spec import MANUAL, Step
from canarium.api.status import CommandEcho, Progress
from canarium.core.facts.grant import Grant, pause_of, pause_text
from canarium.core.times import parse, stamp

if TYPE_CHECKING:
    from canarium.core.context.context import RolloutContext

#: What ends a pause besides a command.
ELAPSED, PASSED, INSUFFICIENT, PROMOTION = "Elapsed", "Passed", "InsufficientData", "Promotion"
BY_ITSELF = (ELAPSED, PASSED, INSUFFICIENT)
PROMOTE = "Promote"


def token_of(order: CommandEcho) -> str:
    """A command as the record keeps it."""
    return f"{order.command}/{order.token}"


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


def progress_of(ctx: RolloutContext) -> Progress:
    """The candidate's progress. Its position is the record's, its clocks are the status' (R18)."""
    told, candidate = ctx.status.progress, ctx.status.candidate
    mine = candidate is not None and candidate.revision == ctx.target
    grant = ctx.grant
    if not mine or told is None or ctx.progress_is_bogus:
        return _rebuilt(ctx, grant) if grant else _unknown(ctx)
    told = _thawed(ctx, _of_before(ctx, told))
    return _reconciled(ctx, told, grant) if grant else told


def _reconciled(ctx: RolloutContext, told: Progress, grant: Grant) -> Progress:
    """The record decides on position and orders. A status that is behind it was not written in
    time; one that is ahead of it was edited by hand."""
    orders = {"full": grant.full is not None}
    if (told.granted, told.passed, told.pause is None) != (
        grant.weight,
        grant.passed,
        grant.pause is None,
    ):
        weight = told.weight if grant.origin <= told.weight <= grant.weight else grant.origin
        return told.model_copy(
            update={**_position(grant), **orders, "weight": weight, "step_start_time": None}
        )
    by_itself = told.released if told.released in BY_ITSELF else None
    return told.model_copy(
        update={
            **orders,
            "pause": grant.pause,
            "analysis": grant.analysis or told.analysis,
            "released": grant.released or (by_itself if grant.pause != MANUAL else None),
            "weight": min(told.weight, grant.weight),
        }
    )


def _position(grant: Grant) -> dict[str, object]:
    return {
        "granted": grant.weight,
        "pause": grant.pause,
        "analysis": grant.analysis,
        "passed": grant.passed,
        "released": grant.released,
    }


def _rebuilt(ctx: RolloutContext, grant: Grant) -> Progress:
    """A lost status: the candidate stands where the record says, and the pause's clock starts
    anew."""
    enough = ctx.observed.ready(ctx.target) >= ctx.router.pods_needed(
        grant.weight, ctx.stable_replicas
    )
    weight = (
        grant.weight if enough and ctx.router.weight_applied(ctx, grant.weight) else grant.origin
    )
    by = grant.full or grant.released
    return Progress(
        weight=weight,
        full=grant.full is not None,
        by=f"command {by}" if by and "/" in by else None,
        strategy=grant.strategy,
    ).model_copy(update=_position(grant))


def _unknown(ctx: RolloutContext) -> Progress:
    """Neither status nor record tell of a rollout. A candidate that has traffic all the same stands
    at what it has until somebody orders it to go on."""
    weight = ctx.router.observed_weight(ctx)
    if weight is None and ctx.candidate_has_traffic:
        deployment = ctx.observed.deployment(ctx.target)
        count = deployment.replicas if deployment else 0
        weight = 100 * count // max(1, count + ctx.stable_replicas)
    if not weight:
        return Progress()
    return Progress(weight=weight, granted=weight, pause=MANUAL)


def _of_before(ctx: RolloutContext, told: Progress) -> Progress:
    """A status of an operator that noted no grants: it stands at its weight."""
    if told.pause is not None or not told.weight:
        return told
    pauses = [step.pause for step in ctx.steps if step.weight == told.weight]
    pause = pauses[0] if pauses else None
    return told.model_copy(update={"granted": told.weight, "pause": pause_text(pause)})


def _thawed(ctx: RolloutContext, told: Progress) -> Progress:
    if not ctx.paused_for or not told.step_start_time:
        return told
    return told.model_copy(
        update={"step_start_time": stamp(parse(told.step_start_time) + ctx.paused_for)}
    )
