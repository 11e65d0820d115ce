"""Which commands have an effect on a model now: what the command line suggests, and the dashboard
offers. `core.context.commands` decides about each; this is what a status shows of it."""

from __future__ import annotations

from collections.abc import Iterator

from canarium.api.reasons import HoldReason
from canarium.api.states import GateKind, GateState, PauseSource, Phase
from canarium.view.model import gates
from canarium.view.objects import Raw, number, part, text

#: Waits that only a pause has; what else is waited for there hides it.
_AT_PAUSE = (HoldReason.STEP_PAUSE, HoldReason.MANUAL)


def effective_commands(model: Raw) -> tuple[str, ...]:
    """Returns the commands about the rollout, and about gates that wait, the most likely first."""
    status = part(model, "status")
    if text(status, "phase") in (Phase.INVALID, Phase.TERMINATING):
        return ()
    return (*_of_gates(model), *_of_rollout(model, status))


def _of_gates(model: Raw) -> Iterator[str]:
    waiting = {gate.kind for gate in gates(model) if gate.state == GateState.WAITING}
    if GateKind.APPROVAL in waiting:
        yield from ("approve", "reject")
    if GateKind.JOB in waiting:
        yield "rerun"


def _of_rollout(model: Raw, status: Raw) -> Iterator[str]:
    if part(status, "failure"):
        yield "retry"
        return
    # A first version has nothing to return to and no steps; a rollback is not interrupted.
    if not part(status, "stable") or text(status, "phase") == Phase.ROLLING_BACK:
        return
    source = text(part(status, "pause"), "source")
    by_spec = part(model, "spec").get("paused") is True or source == PauseSource.SPEC
    candidate, previous = part(status, "candidate"), part(status, "previous")
    if candidate:
        if not (by_spec or source):
            if _is_at_pause(status):
                yield "promote"
            yield "promote-full"
        yield "abort"
    elif number(previous, "readyReplicas"):
        yield "undo"
    if (candidate or previous) and not by_spec:
        yield "resume" if source else "pause"


def _is_at_pause(status: Raw) -> bool:
    progress = part(status, "progress")
    reached = number(progress, "weight") == number(progress, "granted")
    pauses = bool(text(progress, "pause")) and not text(progress, "released") and reached
    return pauses or text(part(status, "waitingFor"), "reason") in _AT_PAUSE
