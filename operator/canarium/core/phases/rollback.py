"""The start of a rollback, and the waits of one whose version still has traffic (R8, R9).

Traffic first: one write routes all traffic to stable and marks the revision as quarantined, so that
a crash right after it neither loses the failure nor repeats it. Its pods are deleted only after
routes or endpoints reflect that write.
"""

from __future__ import annotations

from canarium.api.reasons import HoldReason
from canarium.api.states import Phase
from canarium.core.context.context import RolloutContext
from canarium.core.context.naming import describe
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.health.cause import Cause
from canarium.core.messages import explain
from canarium.core.outcomes.records import failure_record
from canarium.core.outcomes.rejections import blocked, quoted, until_rejected


def roll_back(ctx: RolloutContext, base: PhaseResult, cause: Cause) -> PhaseResult:
    """Rolls back a failed candidate: one write moves the traffic and quarantines it (R8, R9)."""
    failed = (
        base.fail(failure_record(ctx, cause)).in_phase(Phase.ROLLING_BACK).still_receiving_traffic()
    )
    if not ctx.router.can_fall_back(ctx):
        return rollback_blocked(ctx, failed, explain(cause))
    moves = until_rejected(ctx, (*base.actions, *ctx.router.roll_back(ctx)))
    return removing_traffic(ctx, failed.with_actions(moves), explain(cause))


def removing_traffic(ctx: RolloutContext, base: PhaseResult, why: str) -> PhaseResult:
    """Waits until callers no longer reach it: the write is in progress, or rejected (R8)."""
    rejected = blocked(ctx)
    if rejected:
        return base.wait(
            HoldReason.ROLLBACK_BLOCKED,
            f"{describe(ctx, ctx.target)} failed: {why}",
            f"It {traffic_kept(ctx, ctx.target)} because the API server rejects the rollback to "
            f"{describe(ctx, ctx.stable)}: {quoted(rejected)}",
            "The rollback is retried",
        ).with_rejection(rejected)
    return base.wait(
        HoldReason.TERMINATING_FAILED_REVISION,
        f"Rolling back {describe(ctx, ctx.target)}: {why}",
        "Its pods will be deleted once they no longer receive traffic",
    )


def rollback_blocked(ctx: RolloutContext, base: PhaseResult, why: str) -> PhaseResult:
    """Waits until stable has a ready pod that can take the traffic (R0, R8)."""
    return base.explaining_outage().wait(
        HoldReason.ROLLBACK_BLOCKED,
        f"{describe(ctx, ctx.target)} failed: {why}",
        f"It keeps its traffic until {describe(ctx, ctx.stable)} has a ready pod and is then "
        "rolled back",
        observed="0 ready",
        threshold="1 ready",
    )


def traffic_kept(ctx: RolloutContext, revision: str | None) -> str:
    """Returns what a failed version that is still selected does.

    Without ready pods it serves no traffic, and the message must not claim that it does (R29).
    """
    return (
        "keeps its traffic"
        if ctx.observed.ready(revision)
        else "is still selected with 0 ready pods"
    )
