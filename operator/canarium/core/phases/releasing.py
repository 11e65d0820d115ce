"""Releases a stable revision that took over: its pauses and its gates first, then it counts as
promoted (R12, R27, decision 0011)."""

from __future__ import annotations

from canarium.api.reasons import EventReason, HoldReason, OutcomeReason
from canarium.api.states import OutcomeKind, Phase
from canarium.core.context.context import RolloutContext
from canarium.core.context.naming import describe
from canarium.core.context.release import owed_gates, pause_ends, takeover_after
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import AnnotateRevision, Event
from canarium.core.facts.takeover import ANNOTATION, Takeover
from canarium.core.health.cause import Cause
from canarium.core.health.gate_results import rejection
from canarium.core.messages import command_advice, event_text, explain, retry_advice
from canarium.core.outcomes.records import failure_record, history_entry
from canarium.core.outcomes.rejections import quoted
from canarium.core.phases.gate_waits import at_gates
from canarium.core.phases.waiting import resume_advice
from canarium.core.times import duration_text, parse, time_text

_WHY = "It became stable only because no other version was serving"


def releasing(ctx: RolloutContext, base: PhaseResult, has: str, recorded: Takeover) -> PhaseResult:
    """Waits for what stable owes, then records that it is promoted. `has` describes it."""
    failed = rejection(ctx)
    if failed:
        return _fail(ctx, base, has, failed)
    base = base.in_phase(Phase.PROGRESSING)
    write = ctx.record_rejection(ctx.target)
    if write:
        return base.with_rejection(write).wait(
            HoldReason.WRITE_REJECTED,
            has,
            _WHY,
            f"The API server rejects the write of its record: {quoted(write)}",
        )
    takeover = takeover_after(ctx, recorded)
    if takeover != recorded:
        base = base.also(AnnotateRevision(ctx.target, ((ANNOTATION, takeover.to_text()),)))
    return _waiting(ctx, base, has, takeover) or _released(ctx, base, has, takeover)


def _waiting(
    ctx: RolloutContext, base: PhaseResult, has: str, takeover: Takeover
) -> PhaseResult | None:
    gates, until = owed_gates(ctx), pause_ends(ctx, takeover)
    then = f"waits for gate {gates[0].name}" if gates else "counts as promoted"
    at_pause = takeover.released is None and (until is None or until > ctx.now)
    if ctx.pause and (at_pause or gates):
        text = f"The rollout is paused by {ctx.pause_text}"
        return base.wait(HoldReason.PAUSED, has, _WHY, text, resume_advice(ctx))
    if at_pause and until is None:
        return base.wait(
            HoldReason.MANUAL,
            f"{has} and waits for a manual promotion",
            _WHY,
            f"{command_advice('promote', ctx.target, 'To continue')}. Then it {then}",
            threshold="command promote",
        )
    if at_pause and until is not None:
        return base.recheck_in(until - ctx.now).wait(
            HoldReason.STEP_PAUSE,
            has,
            _WHY,
            f"The pauses of its steps end at {time_text(until)}. Then it {then}",
            until=until,
            threshold=duration_text(until - parse(takeover.time)),
        )
    return at_gates(ctx, base, gates, has, "it counts as promoted", _WHY) if gates else None


def _released(ctx: RolloutContext, base: PhaseResult, has: str, takeover: Takeover) -> PhaseResult:
    outcome = history_entry(
        ctx,
        ctx.target,
        OutcomeKind.PROMOTED,
        OutcomeReason.STEPS_COMPLETED,
        command=takeover.released,
    )
    text = f"{describe(ctx, ctx.target)} was promoted"
    return (
        base.also(AnnotateRevision(ctx.target, ((ANNOTATION, ""),)))
        .with_message(has)
        .in_phase(Phase.READY)
        .with_outcome(outcome)
        .with_events(Event("Normal", EventReason.PROMOTED, text))
        .recheck_only_in(0.0)
    )


def _fail(ctx: RolloutContext, base: PhaseResult, has: str, cause: Cause) -> PhaseResult:
    """Quarantines the version, which keeps serving because there is no other one."""
    return (
        base.in_phase(Phase.FAILED)
        .fail(
            failure_record(ctx, cause),
            has,
            f"It failed: {explain(cause)}",
            "There is no other version to roll back to",
            retry_advice(ctx.target, follows=ctx.follows),
        )
        .with_outcome(history_entry(ctx, ctx.target, OutcomeKind.FAILED, cause.reason, cause))
        .with_events(Event("Warning", cause.reason, event_text(ctx.target, cause)))
    )
