"""How much a model needs a person, and for what: the order of `list` and of the dashboard."""

from __future__ import annotations

from canarium.api.reasons import ConditionReason, HoldReason, ObstacleReason
from canarium.api.states import Phase
from canarium.view.objects import Raw, items, part, text
from canarium.view.tree import AttentionLevel

#: Waits that only a person can end.
_FOR_PERSONS = (
    HoldReason.MANUAL,
    HoldReason.WAITING_FOR_APPROVAL,
    HoldReason.GATE_TIMED_OUT,
    HoldReason.PAUSED,
    HoldReason.CHECK_FAILED,
    HoldReason.ANALYSIS_REMOVED,
)
#: Waits that are a problem, and not a part of every rollout.
_BLOCKED = (
    *ObstacleReason,
    HoldReason.ROLLBACK_BLOCKED,
    HoldReason.UNDO_BLOCKED,
    HoldReason.WRITE_REJECTED,
    HoldReason.PODS_UNREACHABLE,
    HoldReason.GATE_UNAVAILABLE,
    HoldReason.ANALYSIS_NOT_READY,
    HoldReason.INSUFFICIENT_DATA,
)
_FAILED = (Phase.FAILED, Phase.INVALID, Phase.ROLLING_BACK, Phase.ROLLED_BACK)
_MOVING = (Phase.PENDING, Phase.STARTING, Phase.PROGRESSING, Phase.BAKING, Phase.TERMINATING)


def urgency(model: Raw) -> tuple[AttentionLevel, str]:
    """Returns how urgent a model is, and a short reason; empty where it is not urgent."""
    status = part(model, "status")
    phase = text(status, "phase")
    conditions = {text(c, "type"): c for c in items(status, "conditions")}
    waiting = text(part(status, "waitingFor"), "reason")
    if phase == Phase.DEGRADED or _is_down(conditions, status):
        return AttentionLevel.OUTAGE, text(conditions.get("Available"), "reason") or phase
    if phase in _FAILED:
        reason = text(part(status, "failure"), "reason")
        return AttentionLevel.FAILED, reason or text(conditions.get(Phase.READY), "reason") or phase
    if items(status, "rejectedWrites"):
        return AttentionLevel.BLOCKED, text(items(status, "rejectedWrites")[0], "reason")
    if waiting in _BLOCKED or text(conditions.get("PodsBlocked"), "status") == "True":
        return AttentionLevel.BLOCKED, text(conditions.get("PodsBlocked"), "reason") or waiting
    if waits_for_person(status):
        return AttentionLevel.WAITS_FOR_PERSON, waiting
    if items(status, "blockedDeletions"):
        return AttentionLevel.BLOCKED, "DeletionBlocked"
    if phase in _MOVING or not phase:
        return AttentionLevel.IN_PROGRESS, waiting
    return AttentionLevel.NONE, ""


def waits_for_person(status: Raw) -> bool:
    """Returns whether the rollout continues only once a person has decided; other problems may be
    more urgent."""
    return text(part(status, "waitingFor"), "reason") in _FOR_PERSONS


def _is_down(conditions: dict[str, Raw], status: Raw) -> bool:
    """Returns whether a model that was promoted, and is not scaled to zero, answers no caller."""
    available = conditions.get("Available")
    if text(available, "reason") == ConditionReason.SCALED_TO_ZERO:
        return False
    down = text(available, "status") == "False"
    return down and bool(part(status, "stable")) and text(status, "phase") != Phase.TERMINATING
