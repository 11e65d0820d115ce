"""Replaces a stable version that does not recover, so that the next fix can be rolled out
(R13, decision 0011).

The case: stable has no ready pods, an older candidate serves in its place, and the spec asks for a
third revision. The older candidate cannot be deleted, since it alone serves (R0), and both colours
are taken, so the target cannot be created. When stable has been down for as long as
a candidate may take to become ready, the revision that serves becomes stable.
"""

from __future__ import annotations

from canarium.api.reasons import EventReason, HoldReason, OutcomeReason
from canarium.api.states import OutcomeKind
from canarium.core.context.context import RolloutContext
from canarium.core.context.naming import describe
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import AnnotateRevision, Event
from canarium.core.facts.takeover import ANNOTATION, Takeover
from canarium.core.health.cause import Cause
from canarium.core.outcomes.records import history_entry
from canarium.core.phases.waiting import resume_advice
from canarium.core.times import duration_text, stamp, time_text


def successor(ctx: RolloutContext) -> str | None:
    """Returns the older revision that serves all traffic because stable has no ready pods."""
    if ctx.stable_unavailable_since is None:
        return None
    previous = (ctx.previous,) if ctx.previous and ctx.previous != ctx.target else ()
    return next((x for x in (*ctx.obsolete_revisions, *previous) if _serves_alone(ctx, x)), None)


def _serves_alone(ctx: RolloutContext, revision: str) -> bool:
    """Returns whether `revision` serves all callers, and would by its colour (R4)."""
    deployment = ctx.observed.deployment(revision)
    same = [p for p in ctx.observed.pods if p.serves and deployment and p.color == deployment.color]
    alone = bool(same) and all(p.revision == revision for p in same)
    return alone and ctx.traffic.effective_weight(revision) == 100


def takes_over_at(ctx: RolloutContext) -> float | None:
    """Returns when the successor becomes stable; None without one, and while no change of traffic
    is possible.

    A pause does not delay it: stable has no ready pods, no traffic moves, and nothing is promoted.
    Stable has as long to recover as a candidate has to become ready, unless it was scaled down to
    make room for the successor (R22).
    """
    if (
        ctx.stable_unavailable_since is None
        or successor(ctx) is None
        or ctx.router.blocker(ctx)
        or ctx.record_rejection(successor(ctx))
    ):
        return None
    return ctx.stable_unavailable_since + (
        0.0 if _was_scaled_down(ctx) else ctx.settings.progress_deadline
    )


def _was_scaled_down(ctx: RolloutContext) -> bool:
    return ctx.strategy == "Recreate" and not ctx.observed.replicas(ctx.stable)


def wait_for_stable(
    ctx: RolloutContext, base: PhaseResult, other: str, takes_over: float | None
) -> PhaseResult:
    """Waits while `other` serves for stable.

    Neither can be deleted, so nothing of the target is created yet (R0, R10).
    """
    then = (
        f"{describe(ctx, other)} becomes stable at {time_text(takes_over)} if that lasts"
        if takes_over is not None
        else f"The rollout continues once {describe(ctx, ctx.stable)} is ready"
    )
    base = base.explaining_outage()
    paused = f"It is paused by {ctx.pause_text}. {resume_advice(ctx)}" if ctx.pause else ""
    return base.recheck_in(takes_over - ctx.now if takes_over is not None else None).wait(
        HoldReason.STABLE_UNAVAILABLE,
        f"{describe(ctx, ctx.target)} is waiting: {describe(ctx, other)} cannot be deleted while "
        f"{describe(ctx, ctx.stable)} has no ready pods",
        then,
        paused,
        until=takes_over,
        observed="0 ready",
        threshold="1 ready",
    )


def take_over(ctx: RolloutContext, base: PhaseResult, other: str) -> PhaseResult:
    """Makes `other` stable; no traffic moves, and no pods change (R14).

    The target is rolled out beside it from the next decision on.
    """
    deployment = ctx.observed.deployment(other)
    assert deployment is not None
    if other not in ctx.promoted_revisions:
        # Before the write that makes it stable: from then on it owes its pauses and gates.
        owes = Takeover(stamp(ctx.now)).to_text()
        base = base.also(AnnotateRevision(other, ((ANNOTATION, owes),)))
    base = base.also(*ctx.router.promote(ctx, other, deployment.color, None, stamp(ctx.now)))
    cause = Cause(OutcomeReason.STABLE_UNAVAILABLE, _why(ctx))
    text = f"{describe(ctx, other)} is now stable: {cause.message}"
    return (
        base.wait(
            HoldReason.TERMINATING_OLD_REVISIONS,
            text,
            f"The rollout of {describe(ctx, ctx.target)} starts next",
        )
        .with_revisions(other, candidate=base.candidate)
        .with_outcome(history_entry(ctx, other, OutcomeKind.TOOK_OVER, cause.reason, cause))
        .with_events(Event("Warning", EventReason.STABLE_UNAVAILABLE, text))
        .recheck_only_in(0.0)
    )


def _why(ctx: RolloutContext) -> str:
    if _was_scaled_down(ctx):
        return f"{describe(ctx, ctx.stable)} was scaled down to make room for it"
    limit = duration_text(ctx.settings.progress_deadline)
    return f"{describe(ctx, ctx.stable)} had no ready pods for {limit}"
