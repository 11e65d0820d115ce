"""Decides when a wait for a rollout is over, and which exit code reports its result."""

from __future__ import annotations

from enum import StrEnum

from canarium.view.attention import urgency
from canarium.view.objects import Raw, number, part, text
from canarium.view.revisions import target_of
from canarium.view.tree import AttentionLevel
from canarium_cli.exits import Exit


class Goal(StrEnum):
    """What is waited for.

    SERVING: the version of the spec is promoted and serves. DECISION: the same, or a person has
    to decide. BAKED: serving, and the bake is over. END: nothing is in progress any more,
    however it ended.
    """

    SERVING = "serving"
    DECISION = "decision"
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
    phase, waits = text(status, "phase"), urgency(model)[0]
    if phase in _FAILED:
        return Exit.FAILED
    if goal is Goal.DECISION and waits is AttentionLevel.WAITS_FOR_PERSON:
        return Exit.WAITS_FOR_PERSON
    serving = _is_serving(status)
    if goal in (Goal.SERVING, Goal.DECISION):
        return Exit.OK if serving else None
    if phase == "Ready" and serving:
        return Exit.OK
    return None


def _is_serving(status: Raw) -> bool:
    """Whether the revision of the spec is promoted and answers."""
    return text(status, "phase") in ("Ready", "Baking") and _condition(status, "Available")


def _condition(status: Raw, kind: str) -> bool:
    listed = status.get("conditions")
    conditions = listed if isinstance(listed, list) else []
    return any(c.get("type") == kind and c.get("status") == "True" for c in conditions)
