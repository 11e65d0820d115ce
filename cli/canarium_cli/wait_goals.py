"""Decides when a wait for a rollout is over, and which exit code reports its result."""

from __future__ import annotations

from enum import StrEnum

from canarium.api.reasons import ConditionReason
from canarium.view.attention import waits_for_person
from canarium.view.objects import Raw, items, number, part, text
from canarium.view.revisions import target_of
from canarium_cli.exits import Exit


class Goal(StrEnum):
    """What is waited for.

    SERVING: the version of the spec is promoted and serves. GATE: the same, or a person has to
    decide. BAKED: serving, and the bake is over. END: nothing is in progress any more,
    however it ended.
    """

    SERVING = "serving"
    GATE = "gate"
    BAKED = "baked"
    END = "end"


GOALS = [goal.value for goal in Goal]
_FAILED = ("Failed", "Invalid", "RolledBack")


def exit_of(model: Raw, goal: Goal, revision: str = "") -> Exit | None:
    """Returns the exit code once the wait is over; None while it is not.

    `revision` is what the model has to serve; empty: the one that the spec asks for. A status
    about an earlier spec does not count.
    """
    status = part(model, "status")
    if number(status, "observedGeneration") < number(part(model, "metadata"), "generation"):
        return None
    if revision and target_of(model) != revision:
        return Exit.FAILED
    phase = text(status, "phase")
    if phase in _FAILED:
        return Exit.FAILED
    if goal is Goal.GATE and waits_for_person(status):
        return Exit.WAITS_FOR_PERSON
    serving = _is_serving(status)
    if goal in (Goal.SERVING, Goal.GATE):
        return Exit.OK if serving else None
    if phase == "Ready" and serving:
        return Exit.OK
    return None


def _is_serving(status: Raw) -> bool:
    """Whether the revision of the spec is promoted and answers, or is scaled to zero as asked."""
    if text(status, "phase") not in ("Ready", "Baking"):
        return False
    conditions = {text(c, "type"): c for c in items(status, "conditions")}
    available, ready = conditions.get("Available"), conditions.get("Ready")
    if text(available, "status") == "True":
        return True
    at_zero = text(available, "reason") == ConditionReason.SCALED_TO_ZERO
    return at_zero and text(ready, "status") == "True"
