"""The gates of the target: which there are, which of them hold a weight, and why one fails it.

`core.facts.gates` has the theory.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from canarium.api.effective_gates import FINISH, HOLD, PROMOTION, TRAFFIC, WEIGHT, EffectiveGate
from canarium.api.effective_spec import Step
from canarium.api.states import GateKind, GateState
from canarium.core.context.once import once
from canarium.core.context.rollout import RolloutFacts
from canarium.core.facts.gates import OpenedGate, gates_from_json
from canarium.core.times import parse


@dataclass(frozen=True, slots=True)
class Gate:
    """A gate of the target. `opened` is its part of the record, once it has started to wait."""

    settings: EffectiveGate
    opened: OpenedGate | None = None
    #: Whether the spec still has it, with the kind that it had when it started to wait.
    is_configured: bool = True

    @property
    def name(self) -> str:
        """Its name."""
        return self.settings.name

    @property
    def is_approval(self) -> bool:
        """Whether a person decides about it."""
        return self.settings.kind == GateKind.APPROVAL

    @property
    def is_job(self) -> bool:
        """Whether a Job decides about it."""
        return self.settings.kind == GateKind.JOB

    @property
    def passed(self) -> bool:
        """Whether the record has its positive result."""
        return self.opened is not None and self.opened.result == GateState.PASSED

    @property
    def waits(self) -> bool:
        """Whether it has started to wait and has no result."""
        return self.opened is not None and self.opened.result is None

    @property
    def point(self) -> str:
        """What it holds, as a part of a sentence."""
        before = self.settings.before
        if before == WEIGHT:
            return f"weight {self.settings.weight}"
        return {TRAFFIC: "the first traffic", PROMOTION: "the promotion"}.get(
            before, "the end of the bake"
        )


@once
def opened_gates(rollout: RolloutFacts) -> tuple[OpenedGate, ...]:
    """Returns the gates on the target's record."""
    record = rollout.observed.record(rollout.target)
    return gates_from_json(record.gates) if record else ()


@once
def gates_of(rollout: RolloutFacts) -> tuple[Gate, ...]:
    """Returns the gates of the target: those of the spec that apply to it, in their order, then
    those that started to wait before they were removed from the spec."""
    opened = {gate.name: gate for gate in opened_gates(rollout)}
    configured = {gate.name: gate for gate in rollout.settings.gates}
    gates = []
    for gate in configured.values():
        one = opened.get(gate.name)
        if one and one.kind != gate.kind:
            gates.append(Gate(_removed(one), one, is_configured=False))
        elif one:
            # Where it holds was decided when it started to wait: an edit does not move it.
            point = replace(gate, before=one.before, weight=one.weight)
            gates.append(Gate(point, one))
        elif _applies(rollout, gate):
            gates.append(Gate(gate))
    removed = (one for one in opened.values() if one.name not in configured)
    return (*gates, *(Gate(_removed(one), one, is_configured=False) for one in removed))


def _removed(one: OpenedGate) -> EffectiveGate:
    return EffectiveGate(one.name, one.kind, one.before, one.weight, on_error=HOLD)


def _applies(rollout: RolloutFacts, gate: EffectiveGate) -> bool:
    """Returns whether a gate that has not started to wait applies to the target.

    A version that was promoted before returns without gates as it does without steps (R11). The
    first version has neither steps nor a bake (R3), and strategy Recreate has no gates.
    """
    if gate.before == FINISH:
        return rollout.stable is not None
    if rollout.target in rollout.promoted_revisions or rollout.strategy == "Recreate":
        return False
    return gate.before != WEIGHT or rollout.stable is not None


def holding(rollout: RolloutFacts, step: Step | None) -> tuple[Gate, ...]:
    """Returns the gates without a positive result that the move to `step` has to wait for; None is
    the promotion.

    A gate that waits holds every move, also after an edit of the steps.
    """
    return tuple(
        gate
        for gate in gates_of(rollout)
        if not gate.passed and gate.settings.before != FINISH and (gate.opened or _due(gate, step))
    )


def _due(gate: Gate, step: Step | None) -> bool:
    settings = gate.settings
    if settings.before == WEIGHT:
        return step is None or step.weight >= (settings.weight or 0)
    return settings.before == TRAFFIC or step is None


def holding_bake(rollout: RolloutFacts) -> tuple[Gate, ...]:
    """Returns the gates without a positive result that the end of the bake has to wait for."""
    return tuple(
        gate for gate in gates_of(rollout) if not gate.passed and gate.settings.before == FINISH
    )


def admits_traffic(rollout: RolloutFacts) -> bool:
    """Returns whether every gate before the first traffic has passed."""
    return all(gate.passed for gate in gates_of(rollout) if gate.settings.before == TRAFFIC)


def times_out_at(rollout: RolloutFacts, gate: Gate) -> float | None:
    """Returns when the timeout of a waiting gate ends (POSIX seconds); None without one, and during
    a pause, which stops it (R16)."""
    timeout = gate.settings.timeout
    if gate.opened is None or timeout is None or rollout.pause:
        return None
    return parse(gate.opened.since) + rollout.paused_for + timeout
