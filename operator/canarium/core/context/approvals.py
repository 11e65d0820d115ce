"""The commands `approve` and `reject`: the decision about one approval gate (R16, R27).

Their value is `<revision>/<gate>`, or `<revision>/<gate>:<token>` where the same decision is
repeated. Two more annotations of the model belong to them: who decides, and a comment. The
chart's admission policy admits a change of these annotations only by a user whom RBAC grants the
verb `approve` on the model, and only with that user's own name.
"""

from __future__ import annotations

from canarium.api.states import GateState
from canarium.api.status import CommandEcho
from canarium.core.context.context import RolloutContext
from canarium.core.context.gates import Gate, gates_of
from canarium.untrusted.quoting import quoted

APPROVE, REJECT = "approve", "reject"
#: Annotations that belong to them, without the group.
BY, COMMENT = "approval-by", "approval-comment"
_LONGEST_NAME, _LONGEST_COMMENT = 200, 1000


def gate_of(token: str) -> str:
    """Returns the name of the gate that a command is about."""
    return token.partition(":")[0]


def decision_by(ctx: RolloutContext) -> tuple[str | None, str | None]:
    """Returns who decided, and the comment; None for what is not annotated."""
    notes = dict(ctx.observed.annotations)
    return _quoted(notes.get(BY), _LONGEST_NAME), _quoted(notes.get(COMMENT), _LONGEST_COMMENT)


def is_recorded(ctx: RolloutContext, echo: CommandEcho) -> bool:
    """Returns whether the record has the result of this command, as after a crash before the
    status was written."""
    gate = named_gate(ctx, echo.token)
    return (
        gate is not None and gate.opened is not None and gate.opened.token == recorded_token(echo)
    )


def why_not(ctx: RolloutContext, token: str) -> str | None:
    """Returns why a decision cannot count now; None when it can."""
    gate = named_gate(ctx, token)
    if gate is None:
        return no_gate(ctx, token)
    if not gate.is_approval:
        return f"no person decides about gate {gate.name}, whose kind is {gate.settings.kind}"
    if gate.opened is None:
        return f"gate {gate.name} is not waiting yet"
    if gate.opened.result is not None:
        words = {GateState.PASSED: "has passed", GateState.REJECTED: "was rejected"}
        return f"gate {gate.name} {words.get(GateState(gate.opened.result), 'timed out')} already"
    if ctx.quarantined:
        return "the revision has failed"
    if not ctx.observed.approvals_enforced:
        return (
            "nothing verifies who may approve. Set approvals.enabled in the values of the "
            "operator's chart, then decide again"
        )
    return None


def recorded_token(command: CommandEcho) -> str:
    """Returns a command as the record stores it with its result."""
    return f"{command.command}/{command.token}"


def _quoted(annotated: str | None, longest: int) -> str | None:
    return quoted(annotated, longest) if annotated else None


def no_gate(ctx: RolloutContext, token: str) -> str:
    """Returns that the gate of a command does not exist, and which gates there are."""
    names = ", ".join(gate.name for gate in gates_of(ctx))
    listed = f"Its gates: {names}" if names else "It has no gates"
    return f"the revision has no gate {gate_of(token)}. {listed}"


def named_gate(ctx: RolloutContext, token: str) -> Gate | None:
    """Returns the gate that a command is about; None if there is none of that name."""
    return next((gate for gate in gates_of(ctx) if gate.name == gate_of(token)), None)
