"""The command `rerun`: the Job of a gate that waits is run again (R16, R27).

The operator runs a Job again only if it was lost, and only a few times. A person who knows more (a
Job that hangs, an image that exists now) orders another run. The value is `<revision>/<gate>`, or
`<revision>/<gate>:<token>` to repeat it. A rerun passes nothing: only the result of the Job counts.
"""

from __future__ import annotations

from canarium.api.states import CommandOutcome, GateState
from canarium.api.status import CommandEcho
from canarium.core.context.approvals import gate_of, named_gate, no_gate
from canarium.core.context.context import RolloutContext
from canarium.core.facts.gate_jobs import LAST_RERUN

RERUN = "rerun"


def why_not(ctx: RolloutContext, token: str) -> str | None:
    """Returns why the Job of a gate cannot be run again now; None when it can."""
    gate = named_gate(ctx, token)
    if gate is None:
        return no_gate(ctx, token)
    if not gate.is_job:
        return f"gate {gate.name} has no Job: its kind is {gate.settings.kind}"
    if gate.opened is None:
        return f"gate {gate.name} is not waiting yet"
    if gate.opened.result == GateState.PASSED:
        return f"gate {gate.name} has passed already"
    if gate.opened.result is not None or ctx.quarantined:
        return "the revision has failed. Use retry, which judges all gates again"
    if gate.opened.attempt is None:
        return f"gate {gate.name} has run no Job yet"
    if gate.opened.attempt > LAST_RERUN:
        return f"gate {gate.name} has run {gate.opened.attempt} Jobs. Use retry instead"
    return None


def ordered(ctx: RolloutContext, gate: str) -> CommandEcho | None:
    """Returns the accepted command of this decision to run the Job of `gate` again."""
    return next(
        (
            command
            for command in ctx.commands
            if command.command == RERUN
            and command.result == CommandOutcome.ACCEPTED
            and gate_of(command.token) == gate
        ),
        None,
    )
