"""Waits for gates, which hold the weight or the bake until they have a positive result (R27)."""

from __future__ import annotations

from canarium.api.effective_gates import ROLL_BACK
from canarium.api.reasons import HoldReason
from canarium.core.context.context import RolloutContext
from canarium.core.context.gates import Gate, holding, times_out_at
from canarium.core.context.naming import describe
from canarium.core.context.position import current_step
from canarium.core.context.progress import next_step, progress_at
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.facts.gate_answers import AnswerState
from canarium.core.facts.observed import Rejection
from canarium.core.outcomes.gate_jobs import attempt_of, rejected_write, trouble
from canarium.core.outcomes.gate_progress import answer_to, progress_text
from canarium.core.outcomes.gates import approval_advice
from canarium.core.phases.waiting import held_weight, next_move_text, traffic_text
from canarium.core.times import time_text


def holding_move(ctx: RolloutContext) -> tuple[Gate, ...]:
    """Returns the gates that the candidate's next move waits for; none while it is at a step.

    A granted weight has passed its gates, so it may take effect.
    """
    step = next_step(ctx)
    if step is not None and current_step(ctx) is not None:
        return ()
    return holding(ctx, step)


def waiting_for_gates(
    ctx: RolloutContext, base: PhaseResult, gates: tuple[Gate, ...]
) -> PhaseResult:
    """Keeps the candidate's weight until `gates` have passed."""
    base = base.also(*held_weight(ctx, base, relief=False))
    base = base.at(progress_at(ctx, ctx.progress.weight))
    has = f"{describe(ctx, ctx.target)} {traffic_text(ctx)}"
    return at_gates(ctx, base, gates, has, f"it {next_move_text(next_step(ctx))}")


def at_gates(
    ctx: RolloutContext,
    base: PhaseResult,
    gates: tuple[Gate, ...],
    has: str,
    then: str,
    meanwhile: str = "",
) -> PhaseResult:
    """Waits for `gates`; the message is about the first of them.

    `has` describes the version, `meanwhile` what else applies, and `then` what follows.
    """
    gate, *others = gates
    base = base.opening(one.name for one in gates).with_rejection(_rejected_write(ctx, gate))
    deadlines = [(at, one) for one in gates if (at := times_out_at(ctx, one)) is not None]
    base = base.recheck_in(min((at - ctx.now for at, _ in deadlines if at > ctx.now), default=None))
    late = [one for at, one in deadlines if at <= ctx.now]
    base = base.expiring(one.name for one in late if one.settings.on_error == ROLL_BACK)
    until = times_out_at(ctx, gate)
    is_late = gate in late
    more = f" and of {', '.join(one.name for one in others)}" if others else ""
    removed = "" if gate.is_configured else " (no longer in spec.rollout.gates)"
    approval = "approval of " if gate.is_approval else ""
    passed = "all of these gates have" if others else "the gate has"
    return base.wait(
        HoldReason.GATE_TIMED_OUT if is_late else _reason(ctx, gate),
        f"{has} and waits for {approval}gate {gate.name}{removed}{more} before {gate.point}",
        meanwhile,
        gate.settings.message,
        _deadline(gate, until, is_late=is_late),
        approval_advice(ctx, gate)
        if gate.is_approval
        else progress_text(ctx, gate, is_late=is_late),
        f"Once {passed} passed, {then}" if not is_late else "",
        until=None if is_late else until,
        threshold="command approve" if gate.is_approval else "a positive result",
    )


def _reason(ctx: RolloutContext, gate: Gate) -> HoldReason:
    if gate.is_approval:
        return HoldReason.WAITING_FOR_APPROVAL
    if gate.is_job:
        missing = trouble(ctx, gate) is not None
    else:
        answer = answer_to(ctx, gate)
        missing = answer is not None and answer.state is AnswerState.MISSING
    return HoldReason.GATE_UNAVAILABLE if missing else HoldReason.WAITING_FOR_GATE


def _rejected_write(ctx: RolloutContext, gate: Gate) -> Rejection | None:
    """Returns the rejected write that keeps the Job of `gate` from being created."""
    attempt = attempt_of(ctx, gate.opened) if gate.opened else None
    return rejected_write(ctx, attempt) if attempt is not None and attempt.job is None else None


def _deadline(gate: Gate, until: float | None, *, is_late: bool) -> str:
    if until is None:
        return ""
    what = "decision" if gate.is_approval else "result"
    if is_late:
        return f"No {what} arrived by {time_text(until)}"
    if gate.settings.on_error == ROLL_BACK:
        return f"It fails if no {what} arrives by {time_text(until)}"
    return ""
