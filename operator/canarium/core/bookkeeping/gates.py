"""Records gates that have started to wait, and their results (R27)."""

from __future__ import annotations

from canarium.core.context import approvals, reruns
from canarium.core.context.context import RolloutContext
from canarium.core.context.gates import opened_gates
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import AnnotateRevision
from canarium.core.facts.gates import gates_to_json
from canarium.core.outcomes.gates import gates_after


def recorded_gates(ctx: RolloutContext, result: PhaseResult) -> tuple[AnnotateRevision, ...]:
    """Returns the write of the gates on the target's record; none where nothing has changed.

    It precedes all other writes: a move that a result permits is decided only after it.
    """
    after = tuple(gate.opened for gate in gates_after(ctx, result) if gate.opened)
    before = opened_gates(ctx)
    if ctx.observed.record(ctx.target) is None or set(after) == set(before):
        return ()
    return (AnnotateRevision(ctx.target, (("gates", gates_to_json(after)),)),)


def gates_recheck(ctx: RolloutContext, result: PhaseResult) -> float | None:
    """Returns 0 where gates are recorded: what they permit, or what they ask, is decided after that
    write, which is not an event by itself. None otherwise, and while the record is rejected."""
    return 0.0 if recorded_gates(ctx, result) and not _is_record_rejected(ctx) else None


def unrecordable_decisions(ctx: RolloutContext) -> tuple[str, ...]:
    """Returns the commands that must not count yet because the record cannot be written."""
    return (approvals.APPROVE, approvals.REJECT, reruns.RERUN) if _is_record_rejected(ctx) else ()


def _is_record_rejected(ctx: RolloutContext) -> bool:
    return ctx.record_rejection(ctx.target) is not None
