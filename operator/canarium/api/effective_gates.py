"""The gates of a rollout with every default filled in."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from canarium.api.base import seconds
from canarium.api.gates import Gate, JobGate, WebGate
from canarium.api.states import GateKind

#: What a gate holds.
TRAFFIC, WEIGHT, PROMOTION, FINISH = "Traffic", "Weight", "Promotion", "Finish"
ROLL_BACK, HOLD = "RollBack", "Hold"


@dataclass(frozen=True, slots=True)
class EffectiveGate:
    """A gate of the spec; `timeout` is in seconds, None: without limit."""

    name: str
    kind: str
    before: str
    weight: int | None = None
    timeout: float | None = None
    on_error: str = HOLD
    #: What the spec asks the approver to check.
    message: str | None = None
    #: The system to ask.
    web: WebGate | None = None
    #: The Job to run, as canonical JSON; with a template, what replaces its fields.
    job: str | None = None
    #: Name of the ModelGate.
    template: str | None = None


def effective_gates(gates: Sequence[Gate] | None) -> tuple[EffectiveGate, ...]:
    """Returns `gates` with their defaults, in the order of the spec."""
    return tuple(
        EffectiveGate(
            name=gate.name,
            kind=_kind(gate),
            before=gate.before,
            weight=gate.weight if gate.before == WEIGHT else None,
            timeout=seconds(gate.timeout) if gate.timeout else None,
            on_error=gate.on_error or HOLD,
            message=gate.approval.message if gate.approval else None,
            web=gate.web,
            job=_canonical(gate.job) if gate.job else None,
            template=gate.job.model_gate if gate.job else None,
        )
        for gate in gates or ()
    )


def _kind(gate: Gate) -> GateKind:
    if gate.job:
        return GateKind.JOB
    return GateKind.WEB if gate.web else GateKind.APPROVAL


def _canonical(job: JobGate) -> str:
    written = job.model_dump(by_alias=True, exclude_unset=True)
    return json.dumps(written, sort_keys=True, separators=(",", ":"))
