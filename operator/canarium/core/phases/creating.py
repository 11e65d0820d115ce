"""Makes room for the candidate, then creates its Deployment.

The candidate needs a free colour: the Service selects one colour, and no pod of the other one is
left, terminating ones included. So older candidates and a warm version are deleted first (R10).
"""

from __future__ import annotations

from canarium.api.reasons import HoldReason
from canarium.core.context.context import RolloutContext
from canarium.core.context.naming import describe
from canarium.core.context.progress import next_step
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import Action, CreateDeployment, Scale
from canarium.core.facts.pods import Pod
from canarium.core.health.availability import serving_now
from canarium.core.phases.deployments import delete_revisions, startable_replicas
from canarium.core.phases.leftover_pods import OVERDUE_AFTER, find_leftover, leftover_of_others
from canarium.core.phases.scaled_to_zero import (
    hold_at_zero,
    is_scaling_up_from_zero,
    wait_for_scale_up,
)
from canarium.core.phases.takeover import successor, take_over, takes_over_at, wait_for_stable
from canarium.core.phases.waiting import resume_advice, waiting_for_pods


def create_candidate(ctx: RolloutContext, base: PhaseResult) -> PhaseResult:
    """Deletes older revisions that block the candidate, then creates its Deployment."""
    at, other = takes_over_at(ctx), successor(ctx)
    if at is not None and at <= ctx.now and other:
        return take_over(ctx, base, other)
    previous = (ctx.previous,) if ctx.previous and ctx.previous != ctx.target else ()
    moves: list[Action] = []
    moves += ctx.router.route_all_to_stable(ctx, candidate=ctx.target)
    if ctx.router.stable_has_all(ctx):
        moves += delete_revisions(ctx, (*ctx.obsolete_revisions, *previous))
    elif _is_selected_with_stable(ctx):
        moves += delete_revisions(ctx, (ctx.target,))
    base = base.also(*moves)
    if other is None and ctx.standby != ctx.target:
        other = ctx.standby
    if other:
        return wait_for_stable(ctx, base, other, at)
    # Strategy Recreate scales stable down next. An older revision that waits for stable to serve
    # would then wait forever, so it is deleted before that.
    if ctx.observed.deployment(ctx.target) or (
        ctx.obsolete_revisions and ctx.strategy == "Recreate"
    ):
        return _wait(
            ctx,
            base,
            HoldReason.TERMINATING_OLD_REVISIONS,
            "is waiting for older revisions to be deleted",
        )
    if ctx.stable_replicas == 0:
        return hold_at_zero(ctx, base)
    if is_scaling_up_from_zero(ctx):
        return wait_for_scale_up(ctx, base)
    if ctx.pause and not ctx.stable_grace_is_over:
        text = f"is not created while the rollout is paused by {ctx.pause_text}"
        return base.wait(
            HoldReason.PAUSED,
            f"{describe(ctx, ctx.target)} {text}",
            resume_advice(ctx),
            serving_now(ctx),
        )
    fault = ctx.router.blocker(ctx)
    if fault:
        return _wait(ctx, base, fault.reason, f"is waiting: {fault.reason}: {fault.message}")
    color = ctx.router.candidate_color(ctx)
    if color is None:
        late = leftover_of_others(ctx)
        text = f"is waiting for pods of an older revision to terminate{late.text}"
        base = base.recheck_in(OVERDUE_AFTER)
        return _wait(ctx, base, HoldReason.TERMINATING_OLD_REVISIONS, text, pod=late.pod)
    if makes_room(ctx):
        # Without pods: if the API server rejects it, stable still serves.
        return scale_down_stable(ctx, base.also(CreateDeployment(ctx.target, color, 0)))
    step = next_step(ctx)
    count = ctx.traffic.pods_needed(step.weight if step else 100, ctx.stable_replicas)
    base = base.also(CreateDeployment(ctx.target, color, startable_replicas(ctx, count)))
    return waiting_for_pods(ctx, base.recheck_in(ctx.settings.progress_deadline), step, count)


def _wait(
    ctx: RolloutContext, base: PhaseResult, reason: str, text: str, pod: str | None = None
) -> PhaseResult:
    return base.wait(reason, f"{describe(ctx, ctx.target)} {text}", serving_now(ctx), pod=pod)


def _is_selected_with_stable(ctx: RolloutContext) -> bool:
    """Returns whether the candidate has stable's color, and stable answers without it: no other
    selection of the callers' Service would take it out."""
    has_color = ctx.target in ctx.obsolete_revisions and not ctx.candidate_has_traffic
    return has_color and ctx.observed.ready(ctx.stable) > 0


def makes_room(ctx: RolloutContext) -> bool:
    """Returns whether strategy Recreate waits for stable's pods to end (R22)."""
    return ctx.strategy == "Recreate" and bool(
        _running_stable(ctx) or ctx.observed.replicas(ctx.stable)
    )


def scale_down_stable(ctx: RolloutContext, base: PhaseResult) -> PhaseResult:
    """Scales stable down for strategy Recreate before the candidate's pods start (R22)."""
    if ctx.observed.replicas(ctx.stable):
        base = base.also(Scale(ctx.stable or "", 0))
    late = find_leftover(ctx, _running_stable(ctx))
    return base.recheck_in(late.recheck).wait(
        HoldReason.SCALING_DOWN_STABLE,
        f"Recreate: scaling down {describe(ctx, ctx.stable)} first{late.text}",
        f"Expect downtime until {describe(ctx, ctx.target)} is ready",
        pod=late.pod,
    )


def _running_stable(ctx: RolloutContext) -> list[Pod]:
    return [pod for pod in ctx.observed.pods_of(ctx.stable) if not ctx.is_stuck(pod)]
