"""The gates of the target in the status, and the Events of their results (R27)."""

from __future__ import annotations

from canarium.api.reasons import EventReason, HoldReason
from canarium.api.states import GateKind, GateState
from canarium.api.status import GateStatus, Status
from canarium.core.context.context import RolloutContext
from canarium.core.context.gates import Gate, gates_of
from canarium.core.context.naming import describe
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import Event
from canarium.core.messages import decided_by, sentences
from canarium.core.outcomes.gate_progress import answer_so_far
from canarium.core.outcomes.gates import approval_advice, gates_after


def gates_status(ctx: RolloutContext, result: PhaseResult) -> tuple[GateStatus, ...] | None:
    """Returns the gates of the target, those that do not wait yet only while they still can; None
    without any."""
    moves = result.candidate or result.previous or ctx.is_unreleased
    underway = bool(moves) and result.failure is None
    gates = (
        _status(ctx, gate)
        for gate in gates_after(ctx, result)
        if gate.opened or (underway and not ctx.quarantined)
    )
    return tuple(gates) or None


def _status(ctx: RolloutContext, gate: Gate) -> GateStatus:
    one = gate.opened
    state = GateState(one.result or GateState.WAITING) if one else GateState.PENDING
    return GateStatus(
        name=gate.name,
        kind=gate.settings.kind,
        before=gate.settings.before,
        weight=gate.settings.weight,
        state=state,
        start_time=one.since if one else None,
        time=one.time if one else None,
        by=one.by if one else None,
        # A status that differs only in its own message would be written later.
        results=one.results if one else None,
        message=one.comment or (answer_so_far(ctx, gate) if gate.waits else None) if one else None,
    )


def gate_events(ctx: RolloutContext, before: Status, after: Status) -> tuple[Event, ...]:
    """Returns the Events of gates that started to wait, passed, or still wait after their timeout.

    A gate that fails the version is the cause of the rollback, which has its own Event.
    """
    if before.is_new:
        return ()
    old = {gate.name: gate.state for gate in before.gates or ()}
    if before.revision != after.revision:
        old = {}
    gates = {gate.name: gate for gate in gates_of(ctx)}
    events = []
    for one in after.gates or ():
        last = old.get(one.name)
        if one.state is GateState.WAITING and last is not GateState.WAITING and one.name in gates:
            events.append(_waiting(ctx, gates[one.name]))
        if one.state is GateState.PASSED and last not in (None, GateState.PASSED):
            events.append(_passed(ctx, one))
    hold, earlier = after.waiting_for, before.waiting_for
    late = hold is not None and hold.awaited is HoldReason.GATE_TIMED_OUT
    if late and (earlier is None or earlier.awaited is not HoldReason.GATE_TIMED_OUT):
        events.append(Event("Warning", HoldReason.GATE_TIMED_OUT, after.message))
    return tuple(events)


def _waiting(ctx: RolloutContext, gate: Gate) -> Event:
    if not gate.is_approval:
        text = f"{describe(ctx, ctx.target)} waits for gate {gate.name} before {gate.point}"
        return Event("Normal", EventReason.WAITING_FOR_GATE, text)
    text = sentences(
        f"{describe(ctx, ctx.target)} waits for approval of gate {gate.name} before {gate.point}",
        gate.settings.message,
        approval_advice(ctx, gate),
    )
    return Event("Normal", EventReason.WAITING_FOR_APPROVAL, text)


def _passed(ctx: RolloutContext, gate: GateStatus) -> Event:
    who = decided_by(gate.by, gate.message)
    verb = "passed" if gate.kind == GateKind.JOB else "was approved"
    text = f"gate {gate.name} of {describe(ctx, ctx.target)} {verb}{who}"
    return Event("Normal", EventReason.GATE_PASSED, text)
