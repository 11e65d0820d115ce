"""Undoes a promotion: the warm version before takes the traffic back in one write (R15)."""

from __future__ import annotations

from dataclasses import replace

from canarium.api.reasons import HoldReason
from canarium.core.context.context import RolloutContext
from canarium.core.context.naming import describe
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.facts.weights import safe_to_select
from canarium.core.health.cause import Cause
from canarium.core.messages import explain
from canarium.core.outcomes.records import failure_record
from canarium.core.outcomes.refusals import blocked, quoted, until_refused
from canarium.core.phases.rolling_back import traffic_kept


def undo(ctx: RolloutContext, base: PhaseResult, cause: Cause) -> PhaseResult:
    """Undoes the promotion or, where that is not possible now, waits until it is."""
    if not _can_take_over(ctx):
        return _without_ready_pods(ctx, base, cause)
    if blocked(ctx):
        return _rejected(ctx, base, cause)
    undone = base.also(*ctx.router.undo(ctx)).fail(failure_record(ctx, cause))
    return replace(
        undone.wait(
            HoldReason.TERMINATING_FAILED_REVISION,
            f"Undoing the promotion of {describe(ctx, ctx.target)}: {explain(cause)}",
        ),
        phase="RollingBack",
        carrying=True,
        stable=ctx.previous,
        candidate=ctx.target,
        previous=None,
        bake_start_time=None,
    )


def _can_take_over(ctx: RolloutContext) -> bool:
    """Whether the version before has a ready pod, and one where the Service would lead (R0)."""
    previous = ctx.observed.deployment(ctx.previous)
    ready = previous and ctx.observed.ready(ctx.previous)
    return bool(ready and previous and safe_to_select(previous.color, ctx.observed))


def _rejected(ctx: RolloutContext, base: PhaseResult, cause: Cause) -> PhaseResult:
    refused = blocked(ctx)
    assert refused is not None
    base = base.also(*until_refused(ctx, ctx.router.undo(ctx))).wait(
        HoldReason.UNDO_BLOCKED,
        f"{_failed(ctx, cause)}: {quoted(refused)}",
        f"The undo to {describe(ctx, ctx.previous)} runs as soon as the write is allowed",
    )
    return replace(base.about(refused), reason=cause.reason)


def _without_ready_pods(ctx: RolloutContext, base: PhaseResult, cause: Cause) -> PhaseResult:
    """The version before cannot take the traffic (R0); it is kept until it can."""
    base = base.wait(
        HoldReason.UNDO_BLOCKED,
        f"{_failed(ctx, cause)}: {describe(ctx, ctx.previous)} has no ready pods",
        f"The undo runs as soon as it does, unless {describe(ctx, ctx.stable)} recovers first",
        observed="0 ready",
        threshold="1 ready",
    )
    return replace(base, reason=cause.reason)


def _failed(ctx: RolloutContext, cause: Cause) -> str:
    return (
        f"{describe(ctx, ctx.stable)} failed ({explain(cause)}) and {traffic_kept(ctx, ctx.stable)}"
    )
