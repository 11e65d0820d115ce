"""Phase Failed: the first version has failed, and there is none to roll back to (R3)."""

from __future__ import annotations

from canarium.api.states import OutcomeKind, Phase
from canarium.core.context.context import RolloutContext
from canarium.core.context.naming import describe
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import Event
from canarium.core.health.cause import Cause
from canarium.core.messages import FailureSummary, event_text, explain, retry_advice
from canarium.core.outcomes.failures import known_failure
from canarium.core.outcomes.records import failure_record, history_entry
from canarium.core.phases.first_version import without_stable


def failed(ctx: RolloutContext) -> PhaseResult:
    """Keeps the pods of the failed version for debugging until a new spec or a retry (R9)."""
    failure = known_failure(ctx)
    return without_stable(ctx).fail(failure, *_text(ctx, failure))


def fail_first_version(ctx: RolloutContext, base: PhaseResult, cause: Cause) -> PhaseResult:
    """Reports that the first version has just failed."""
    return (
        base.fail(failure_record(ctx, cause), *_text(ctx, cause))
        .in_phase(Phase.FAILED)
        .with_outcome(history_entry(ctx, ctx.target, OutcomeKind.FAILED, cause.reason, cause))
        .with_events(Event("Warning", cause.reason, event_text(ctx.target, cause)))
    )


def _text(ctx: RolloutContext, why: FailureSummary) -> tuple[str, str, str]:
    return (
        f"the first version, {describe(ctx, ctx.target)}, failed: {explain(why)}",
        "Its pods are kept for debugging",
        retry_advice(ctx.target, follows=ctx.follows),
    )
