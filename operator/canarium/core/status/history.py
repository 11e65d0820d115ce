"""What became of the candidate that the status tells of, where no move of this decision says so.

A newer spec ends it (R10), a spec that goes back withdraws it (R11); and what happened to it right
before the operator died, the status could not tell (R18).
"""

from __future__ import annotations

from canarium.api.reasons import FailureReason, OutcomeReason
from canarium.api.status import Outcome
from canarium.core.context.context import Situation
from canarium.core.context.live_traffic import carries_traffic
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.health.cause import Cause
from canarium.core.outcomes.failures import noted_on
from canarium.core.outcomes.records import history_entry


def ended(s: Situation, result: PhaseResult) -> Outcome | None:
    """Its entry for the history; None while it is on its way, or when its end was told."""
    told, progress = s.status.candidate, s.status.progress
    if told is None or not s.exists(told.revision) or result.candidate == told.revision:
        return None
    revision, failure = told.revision, s.status.failure
    if revision == s.stable:
        first = s.status.stable is None
        why = OutcomeReason.FIRST_VERSION if first else OutcomeReason.STEPS_DONE
        by = progress.by if progress else None
        return history_entry(s, revision, "Promoted", why, by=by) if s.behind else None
    if revision == s.target:
        return None
    if s.has_failed(revision):
        kept = failure if failure and failure.revision == revision else None
        known = kept or noted_on(s.observed.record(revision))
        cause = Cause(known.reason, known.message) if known else None
        reason = known.reason if known else FailureReason.UNKNOWN
        # One that keeps its traffic, as stable has no ready pod to take it, was not rolled back.
        end = "Failed" if carries_traffic(s, revision) else "RolledBack"
        return history_entry(s, revision, end, reason, cause)
    if s.target == s.stable:
        return history_entry(s, revision, "Withdrawn", OutcomeReason.SPEC_RETURNED)
    return history_entry(s, revision, "Superseded", OutcomeReason.SPEC_CHANGED)
