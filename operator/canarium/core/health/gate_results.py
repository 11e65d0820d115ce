"""Why a gate fails a version (R27)."""

from __future__ import annotations

from canarium.api.reasons import FailureReason
from canarium.api.states import GateState
from canarium.core.context.gates import gates_of
from canarium.core.context.rollout import RolloutFacts
from canarium.core.health.cause import Cause
from canarium.core.messages import decided_by
from canarium.core.times import duration_text


def rejection(rollout: RolloutFacts) -> Cause | None:
    """Returns why a gate fails the target; None if none does."""
    for gate in gates_of(rollout):
        one = gate.opened
        if one and one.result == GateState.REJECTED and gate.is_job:
            code = one.exit_code if one.exit_code is not None else "unknown"
            what = f"gate {gate.name} failed: {one.by} ended with exit code {code}"
            return Cause(
                FailureReason.GATE_FAILED,
                f"{what}: {one.comment}" if one.comment else what,
                observed=f"exit code {code}",
                threshold="exit code 0",
            )
        if one and one.result == GateState.REJECTED:
            who = decided_by(one.by, one.comment)
            return Cause(FailureReason.GATE_REJECTED, f"gate {gate.name} was rejected{who}")
        if one and one.result == GateState.TIMED_OUT:
            limit = gate.settings.timeout
            within = f" within {duration_text(limit)}" if limit is not None else " in time"
            what = "decision" if gate.is_approval else "result"
            return Cause(FailureReason.GATE_TIMED_OUT, f"gate {gate.name} got no {what}{within}")
    return None
