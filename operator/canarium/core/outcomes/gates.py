"""The gates of the target after a decision: which have started to wait, and their results (R27)."""

from __future__ import annotations

from dataclasses import replace

from canarium.api.states import CommandOutcome, GateState
from canarium.core.context import approvals
from canarium.core.context.context import RolloutContext
from canarium.core.context.gates import Gate, gates_of
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.facts.gate_answers import AnswerState
from canarium.core.facts.gates import OpenedGate
from canarium.core.outcomes.gate_jobs import after_job, job_of, new_nonce
from canarium.core.outcomes.gate_progress import answer_to
from canarium.core.times import parse, stamp


def gates_after(ctx: RolloutContext, result: PhaseResult) -> tuple[Gate, ...]:
    """Returns the gates of the target as they are once `result` is recorded."""
    return tuple(replace(gate, opened=_after(ctx, result, gate)) for gate in gates_of(ctx))


def _after(ctx: RolloutContext, result: PhaseResult, gate: Gate) -> OpenedGate | None:
    one = gate.opened
    if one is None:
        settings, job = gate.settings, job_of(ctx, gate)
        return (
            OpenedGate(
                settings.name,
                settings.kind,
                settings.before,
                stamp(ctx.now),
                settings.weight,
                at=ctx.progress.weight,
                job=job,
                attempt=1 if job else None,
                nonce=new_nonce(ctx, settings.name) if job else None,
            )
            if gate.name in result.opened_gates
            else None
        )
    if one.result is not None:
        return one
    if gate.is_job:
        decided = after_job(ctx, gate, one)
    else:
        decided = _decided(ctx, one) if gate.is_approval else _answered(ctx, gate, one)
    if decided and decided.result is not None:
        return decided
    one = decided or one
    if gate.name in result.expired_gates:
        return replace(one, result=GateState.TIMED_OUT.value, time=stamp(ctx.now))
    if ctx.paused_for:
        return replace(one, since=stamp(min(ctx.now, parse(one.since) + ctx.paused_for)))
    return one


def _decided(ctx: RolloutContext, one: OpenedGate) -> OpenedGate | None:
    """Returns the gate with the result of a command of this decision; None without one."""
    for command in ctx.commands:
        if command.command not in (approvals.APPROVE, approvals.REJECT):
            continue
        accepted = command.result == CommandOutcome.ACCEPTED
        if not accepted or approvals.gate_of(command.token) != one.name:
            continue
        by, comment = approvals.decision_by(ctx)
        passes = command.command == approvals.APPROVE
        return replace(
            one,
            result=(GateState.PASSED if passes else GateState.REJECTED).value,
            time=stamp(ctx.now),
            by=by,
            comment=comment,
            token=approvals.recorded_token(command),
        )
    return None


def _answered(ctx: RolloutContext, gate: Gate, one: OpenedGate) -> OpenedGate | None:
    """Returns the gate with the answer of its system as its result; None without one.

    An answer waits while the record cannot be written, and does not count after a failure.
    """
    answer = answer_to(ctx, gate)
    results = {AnswerState.PASSED: GateState.PASSED, AnswerState.REJECTED: GateState.REJECTED}
    if answer is None or answer.state not in results or ctx.quarantined:
        return None
    if ctx.record_rejection(ctx.target):
        return None
    return replace(
        one,
        result=results[answer.state].value,
        time=stamp(ctx.now),
        by=answer.by,
        comment=answer.text,
    )


def approval_advice(ctx: RolloutContext, gate: Gate) -> str:
    """Returns how a person decides about a gate that waits."""
    if not ctx.observed.approvals_enforced:
        return (
            "No decision counts, because nothing verifies who may approve: set approvals.enabled "
            "in the values of the operator's chart"
        )
    return (
        f"To approve, annotate canarium.dev/approve={ctx.target}/{gate.name}; to reject, "
        f"canarium.dev/reject={ctx.target}/{gate.name}"
    )
