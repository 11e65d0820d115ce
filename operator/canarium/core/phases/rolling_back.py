"""Phase RollingBack: a version has failed, and callers or pods have yet to leave it (R8, R9).

Traffic first: one write gives stable all traffic and marks the revision as quarantined, so that a
crash right after it neither forgets the failure nor repeats it. Its pods are deleted only after
routes or endpoints have taken that write.
"""

from __future__ import annotations

from dataclasses import replace

from canarium.api.reasons import HoldReason
from canarium.core.context.context import RolloutContext
from canarium.core.context.naming import describe
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.health.cause import Cause
from canarium.core.messages import explain
from canarium.core.outcomes.records import failure_record
from canarium.core.outcomes.refusals import blocked, quoted, until_refused


def roll_back(ctx: RolloutContext, base: PhaseResult, cause: Cause) -> PhaseResult:
    """The candidate has failed: moves traffic in the same write as the latch (R8, R9)."""
    failed = replace(
        base.fail(failure_record(ctx, cause)),
        phase="RollingBack",
        carrying=True,
    )
    if not ctx.router.can_fall_back(ctx):
        return rollback_blocked(ctx, failed, explain(cause))
    moves = until_refused(ctx, (*base.actions, *ctx.router.roll_back(ctx)))
    return removing_traffic(ctx, replace(failed, actions=moves), explain(cause))


def removing_traffic(ctx: RolloutContext, base: PhaseResult, why: str) -> PhaseResult:
    """Waits until callers have left it: the write is under way, or rejected (R8)."""
    refused = blocked(ctx)
    if refused:
        return base.wait(
            HoldReason.ROLLBACK_BLOCKED,
            f"{describe(ctx, ctx.target)} failed ({why}) and {traffic_kept(ctx, ctx.target)}: "
            f"{quoted(refused)}",
            f"It is rolled back to {describe(ctx, ctx.stable)} as soon as the write is allowed",
        ).about(refused)
    return base.wait(
        HoldReason.TERMINATING_FAILED_REVISION,
        f"Rolling back {describe(ctx, ctx.target)}: {why}; its pods will be deleted once they no "
        "longer receive traffic",
    )


def rollback_blocked(ctx: RolloutContext, base: PhaseResult, why: str) -> PhaseResult:
    """Waits until stable has a ready pod that can take the traffic (R0, R8)."""
    return base.wait(
        HoldReason.ROLLBACK_BLOCKED,
        f"{describe(ctx, ctx.target)} failed ({why}) and keeps its traffic: "
        f"{describe(ctx, ctx.stable)} "
        "has no ready pods",
        "It is rolled back as soon as it does",
        observed="0 ready",
        threshold="1 ready",
    )


def traffic_kept(ctx: RolloutContext, revision: str | None) -> str:
    """Returns what a failed version does that is still selected: without a ready pod it answers
    nobody (R29)."""
    return (
        "keeps its traffic"
        if ctx.observed.ready(revision)
        else "is still selected with 0 ready pods"
    )
