"""Rollouts of a model that is scaled to zero (R5).

Traffic moves back to stable, then the candidate's pods terminate, then those of stable. Weight and
step are kept, and the time of the step starts again when the model is scaled up: stable gets all
its pods first, then the candidate, so that scaling up never raises its share beyond its weight.
"""

from __future__ import annotations

from canarium.api.reasons import HoldReason
from canarium.api.status import Progress
from canarium.core.context.context import RolloutContext
from canarium.core.context.naming import describe
from canarium.core.context.progress import progress_at
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import Action, Scale
from canarium.core.facts.grant import intended_weight
from canarium.core.health.availability import serving_now
from canarium.core.health.failure_causes import judge
from canarium.core.times import time_text

_SLEEPING = (HoldReason.SCALED_TO_ZERO, HoldReason.SCALING_UP_STABLE)


def hold_at_zero(ctx: RolloutContext, base: PhaseResult) -> PhaseResult:
    """Holds the rollout while the model is scaled to zero, and scales the candidate down."""
    moves: list[Action] = []
    moves += ctx.router.route_all_to_stable(ctx, candidate=ctx.target)
    is_on_stable = ctx.router.stable_has_all(ctx)
    # Without ready pods, stable cannot receive the traffic, which ends with the candidate's pods.
    if ctx.observed.replicas(ctx.target) and (is_on_stable or not ctx.observed.ready(ctx.stable)):
        moves.append(Scale(ctx.target, 0))
    weight = intended_weight(ctx.progress)
    start = f"at weight {weight}" if weight else "from its start"
    return (
        base.also(*moves)
        .at(_clocks_stopped(ctx))
        .wait(
            HoldReason.SCALED_TO_ZERO,
            f"The model is scaled to zero, so the rollout of {describe(ctx, ctx.target)} is "
            "on hold",
            f"It continues {start} once the model is scaled up",
            serving_now(ctx),
        )
    )


def is_scaling_up_from_zero(ctx: RolloutContext) -> bool:
    """Returns whether stable is still starting its pods after scale to zero.

    This does not count as an outage until a pod fails or it takes longer than a candidate may.
    """
    if ctx.strategy == "Recreate" or not _was_at_zero(ctx):
        return False
    if ctx.observed.ready(ctx.stable) >= ctx.stable_replicas or _until(ctx) <= ctx.now:
        return False
    pods, limit = ctx.observed.pods_of(ctx.stable), ctx.settings.unschedulable_deadline
    fails = judge(pods, now=ctx.now, unschedulable_deadline=limit, was_fully_ready=False).cause
    return fails is None


def _was_at_zero(ctx: RolloutContext) -> bool:
    """Returns whether the model was scaled to zero until now, by the status or, where that is lost,
    by a version whose Deployment has no replicas (R18)."""
    held = ctx.status.waiting_for
    if held is not None:
        return held.awaited in _SLEEPING
    deployments = map(ctx.observed.deployment, (ctx.stable, ctx.target))
    return ctx.status_is_stale and any(d is not None and d.replicas == 0 for d in deployments)


def wait_for_scale_up(ctx: RolloutContext, base: PhaseResult) -> PhaseResult:
    """Waits until stable has its pods, so that the candidate's share matches its weight."""
    ready = ctx.observed.ready(ctx.stable)
    return (
        base.at(_clocks_stopped(ctx))
        .recheck_in(_until(ctx) - ctx.now)
        .wait(
            HoldReason.SCALING_UP_STABLE,
            f"{describe(ctx, ctx.stable)} is scaling up from zero: {ready} of "
            f"{ctx.stable_replicas} pods are ready",
            f"The rollout of {describe(ctx, ctx.target)} continues once all are, at "
            f"{time_text(_until(ctx))} at the latest",
            until=_until(ctx),
            observed=f"{ready} ready",
            threshold=f"{ctx.stable_replicas} ready",
        )
    )


def _until(ctx: RolloutContext) -> float:
    return (
        min(ctx.waiting_since(HoldReason.SCALING_UP_STABLE), ctx.now)
        + ctx.settings.progress_deadline
    )


def _clocks_stopped(ctx: RolloutContext) -> Progress:
    progress = progress_at(ctx, ctx.progress.weight)
    return progress.model_copy(update={"step_start_time": None})
