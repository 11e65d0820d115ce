"""What became of the candidate that the status tells of, where no move of this decision says so.

A newer spec ends it (R10), a spec that goes back withdraws it (R11); and what happened to it right
before the operator died, the status could not tell (R18).
"""

from __future__ import annotations

from canarium.api.reasons import FailureReason, OutcomeReason
from canarium.api.status import Outcome
from canarium.core.context.context import RolloutContext
from canarium.core.context.live_traffic import carries_traffic
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.health.cause import Cause
from canarium.core.outcomes.failures import noted_on
from canarium.core.outcomes.records import history_entry


def ended(ctx: RolloutContext, result: PhaseResult) -> Outcome | None:
    """Its entry for the history; None while it is on its way, or when its end was told."""
    told, progress = ctx.status.candidate, ctx.status.progress
    if told is None or not ctx.observed.exists(told.revision) or result.candidate == told.revision:
        return None
    revision, failure = told.revision, ctx.status.failure
    if revision == ctx.stable:
        first = ctx.status.stable is None
        why = OutcomeReason.FIRST_VERSION if first else OutcomeReason.STEPS_COMPLETED
        by = progress.by if progress else None
        return history_entry(ctx, revision, "Promoted", why, by=by) if ctx.status_is_stale else None
    if revision == ctx.target:
        return None
    if ctx.has_failed(revision):
        kept = failure if failure and failure.revision == revision else None
        known = kept or noted_on(ctx.observed.record(revision))
        cause = Cause(known.reason, known.message) if known else None
        reason = known.reason if known else FailureReason.UNKNOWN
        # One that keeps its traffic, as stable has no ready pod to take it, was not rolled back.
        end = "Failed" if carries_traffic(ctx, revision) else "RolledBack"
        return history_entry(ctx, revision, end, reason, cause)
    if ctx.target == ctx.stable:
        return history_entry(ctx, revision, "Withdrawn", OutcomeReason.REVERTED_TO_STABLE)
    return history_entry(ctx, revision, "Superseded", OutcomeReason.SPEC_CHANGED)
