"""Undoes a promotion: one write moves all traffic back to the previous, warm version (R15)."""

from __future__ import annotations

from canarium.api.reasons import HoldReason
from canarium.api.states import Phase
from canarium.core.context.context import RolloutContext
from canarium.core.context.naming import describe
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.facts.weights import safe_to_select
from canarium.core.health.cause import Cause
from canarium.core.messages import explain
from canarium.core.outcomes.records import failure_record
from canarium.core.outcomes.rejections import blocked, quoted, until_rejected
from canarium.core.phases.rollback import traffic_kept


def undo(ctx: RolloutContext, base: PhaseResult, cause: Cause) -> PhaseResult:
    """Undoes the promotion or, where that is not possible now, waits until it is."""
    if not _can_take_over(ctx):
        return _without_ready_pods(ctx, base, cause)
    if blocked(ctx):
        return _rejected(ctx, base, cause)
    undone = base.also(*ctx.router.undo(ctx)).fail(failure_record(ctx, cause))
    return (
        undone.wait(
            HoldReason.TERMINATING_FAILED_REVISION,
            f"Undoing the promotion of {describe(ctx, ctx.target)}: {explain(cause)}",
            f"Traffic moves back to {describe(ctx, ctx.previous)}",
        )
        .in_phase(Phase.ROLLING_BACK)
        .still_receiving_traffic()
        .with_revisions(ctx.previous, candidate=ctx.target)
    )


def _can_take_over(ctx: RolloutContext) -> bool:
    """Returns whether the previous version has a ready pod that the Service would select (R0)."""
    previous = ctx.observed.deployment(ctx.previous)
    ready = previous and ctx.observed.ready(ctx.previous)
    return bool(ready and previous and safe_to_select(previous.color, ctx.observed))


def _rejected(ctx: RolloutContext, base: PhaseResult, cause: Cause) -> PhaseResult:
    rejected = blocked(ctx)
    assert rejected is not None
    base = base.also(*until_rejected(ctx, ctx.router.undo(ctx))).wait(
        HoldReason.UNDO_BLOCKED,
        f"{describe(ctx, ctx.stable)} failed: {explain(cause)}",
        f"It {traffic_kept(ctx, ctx.stable)} because the API server rejects the undo to "
        f"{describe(ctx, ctx.previous)}: {quoted(rejected)}",
        "The undo is retried",
    )
    return base.with_rejection(rejected).with_reason(cause.reason)


def _without_ready_pods(ctx: RolloutContext, base: PhaseResult, cause: Cause) -> PhaseResult:
    """Waits until the previous version can serve (R0); it is kept warm until then."""
    base = base.wait(
        HoldReason.UNDO_BLOCKED,
        f"{describe(ctx, ctx.stable)} failed: {explain(cause)}",
        f"It {traffic_kept(ctx, ctx.stable)} until {describe(ctx, ctx.previous)} has a ready pod",
        "The promotion is undone then, unless this version recovers first",
        observed="0 ready",
        threshold="1 ready",
    )
    return base.with_reason(cause.reason)
