"""The history entry of the status' candidate, where this decision did not end its rollout.

A newer spec supersedes it (R10), and a spec that returns to stable withdraws it (R11). If the
operator died between a write and the status that reports it, the entry is added later (R18).
"""

from __future__ import annotations

from canarium.api.reasons import FailureReason, OutcomeReason
from canarium.api.states import OutcomeKind
from canarium.api.status import Outcome
from canarium.core.context.context import RolloutContext
from canarium.core.context.live_traffic import carries_traffic
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.health.cause import Cause
from canarium.core.outcomes.failures import stored_failure
from canarium.core.outcomes.records import history_entry


def ended(ctx: RolloutContext, result: PhaseResult) -> Outcome | None:
    """Returns the entry for the history; None during the rollout, or if it was recorded already."""
    reported, progress = ctx.status.candidate, ctx.status.progress
    if (
        reported is None
        or not ctx.observed.exists(reported.revision)
        or result.candidate == reported.revision
    ):
        return None
    revision, failure = reported.revision, ctx.status.failure
    if revision == ctx.stable:
        first = ctx.status.stable is None
        why = OutcomeReason.FIRST_VERSION if first else OutcomeReason.STEPS_COMPLETED
        command = progress.command if progress else None
        kind = OutcomeKind.PROMOTED
        if ctx.takeover:
            kind, why, command = OutcomeKind.TOOK_OVER, OutcomeReason.STABLE_UNAVAILABLE, None
        entry = history_entry(ctx, revision, kind, why, command=command)
        return entry if ctx.status_is_stale else None
    if revision == ctx.target:
        return None
    if ctx.has_failed(revision):
        current = failure if failure and failure.revision == revision else None
        recorded = current or stored_failure(ctx.observed.record(revision))
        cause = Cause(recorded.reason, recorded.message) if recorded else None
        reason = recorded.reason if recorded else FailureReason.UNKNOWN
        # A version that keeps its traffic because stable has no ready pods was not rolled back.
        end = OutcomeKind.FAILED if carries_traffic(ctx, revision) else OutcomeKind.ROLLED_BACK
        return history_entry(ctx, revision, end, reason, cause)
    if ctx.target == ctx.stable:
        return history_entry(ctx, revision, OutcomeKind.WITHDRAWN, OutcomeReason.REVERTED_TO_STABLE)
    return history_entry(ctx, revision, OutcomeKind.SUPERSEDED, OutcomeReason.SPEC_CHANGED)
