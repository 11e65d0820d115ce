"""The transitions that the notifier delivers (R28), as a list in the status.

They are written with the status that they belong to: there is no further request, and neither a
crash nor another leader loses one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from canarium.api.reasons import ConditionType, EventReason, HoldReason
from canarium.api.states import OutcomeKind, Phase
from canarium.api.status import RevisionStatus, Status
from canarium.api.status.transition import KEPT, MESSAGE_LENGTH, Transition, TransitionType
from canarium.core.decision.plan import Event, Plan
from canarium.core.messages import sentences
from canarium.core.status.conditions import find
from canarium.core.times import parse, stamp

#: Minimum seconds between two transitions.
_STEP = 0.001
#: Maximum seconds that the clock of another operator may be ahead.
_AHEAD = 86_400.0
_TYPES: Mapping[str, TransitionType] = {
    EventReason.ROLLOUT_STARTED: TransitionType.STARTED,
    EventReason.WEIGHT_IN_EFFECT: TransitionType.WEIGHT_IN_EFFECT,
    EventReason.ROLLOUT_PAUSED: TransitionType.PAUSED,
    EventReason.WAITING_FOR_APPROVAL: TransitionType.WAITING_FOR_APPROVAL,
    EventReason.WAITING_FOR_PROMOTION: TransitionType.WAITING_FOR_PROMOTION,
    EventReason.PROMOTED: TransitionType.PROMOTED,
    EventReason.ROLLED_BACK: TransitionType.ROLLED_BACK,
    EventReason.STABLE_UNAVAILABLE: TransitionType.STANDBY_SERVING,
    EventReason.STANDBY_SERVING: TransitionType.STANDBY_SERVING,
    EventReason.STABLE_RECOVERED: TransitionType.STABLE_RECOVERED,
    EventReason.SERVICE_RESTORED: TransitionType.AVAILABLE,
    HoldReason.ROLLBACK_BLOCKED: TransitionType.BLOCKED,
    HoldReason.UNDO_BLOCKED: TransitionType.BLOCKED,
    HoldReason.GATE_TIMED_OUT: TransitionType.BLOCKED,
    HoldReason.ENDPOINTS_NOT_READY: TransitionType.BLOCKED,
}
#: Types whose reason a person wants to know.
_EXPLAINED = (TransitionType.BLOCKED, TransitionType.UNAVAILABLE)


def with_transitions(decision: Plan, before: Status, now: float, *, record: bool) -> Plan:
    """Returns the decision with the transitions in its status: those of `before` and, if `record`,
    the new ones, the last `KEPT` of all. `now` is in POSIX seconds.

    The old ones stay when recording ends: a status is not written for that.
    """
    earlier = tuple(one for one in before.transitions or () if _is_plausible(one, now))
    moment = max(now, parse(earlier[-1].time) + _STEP) if earlier else now
    new = tuple(
        Transition(time=stamp(moment + index * _STEP), **facts)
        for index, facts in enumerate(_facts(decision, before) if record else ())
    )
    latest = (*earlier, *new)[-KEPT:]
    if not (latest or before.transitions):
        return decision
    return replace(decision, status=decision.status.model_copy(update={"transitions": latest}))


def _is_plausible(transition: Transition, now: float) -> bool:
    """Returns whether an operator wrote the time of `transition`: after an edit by hand, new ones
    could not follow a time of the next century."""
    try:
        return parse(transition.time) <= now + _AHEAD
    except ValueError:
        return False


def _facts(decision: Plan, before: Status) -> Iterator[dict[str, Any]]:
    """Yields the fields of each new transition, without its time."""
    after = decision.status
    for event in decision.events:
        kind = _type(event, after)
        if kind is TransitionType.ROLLED_BACK:
            yield _failed(event.message, after)
        elif kind:
            about = after.stable if kind is TransitionType.PROMOTED else None
            reason = event.reason if kind in _EXPLAINED else None
            yield _fields(kind, after, event.message, about, reason)
    if _completed(before, after):
        text = sentences("the bake is over and the rollout is complete")
        yield _fields(TransitionType.COMPLETED, after, text, after.stable)


def _type(event: Event, after: Status) -> TransitionType | None:
    """Returns the type of an Event's transition; None if it is a detail of another one."""
    available = find(after, ConditionType.AVAILABLE)
    if available and available.status == "False" and available.reason == event.reason:
        return TransitionType.UNAVAILABLE
    return _TYPES.get(event.reason)


def _failed(message: str, after: Status) -> dict[str, Any]:
    failure = after.failure
    revision = failure.revision if failure else None
    end = next((o for o in after.history if o.revision == revision), None)
    undone = end is not None and end.outcome == OutcomeKind.UNDONE
    return {
        "type": TransitionType.UNDONE if undone else TransitionType.ROLLED_BACK,
        "revision": revision,
        "version": end.version if end else None,
        "reason": failure.reason if failure else None,
        "message": message[:MESSAGE_LENGTH],
    }


def _fields(
    kind: TransitionType,
    after: Status,
    message: str,
    about: RevisionStatus | None = None,
    reason: str | None = None,
) -> dict[str, Any]:
    """Returns the fields of a transition, which is about the candidate by default."""
    revision = about or after.candidate or after.stable
    return {
        "type": kind,
        "revision": revision and revision.revision,
        "version": revision and revision.version,
        "weight": after.weight,
        "reason": reason,
        "message": message[:MESSAGE_LENGTH],
    }


def _completed(before: Status, after: Status) -> bool:
    """Returns whether the bake ended with the version that was promoted."""
    return (
        before.phase == Phase.BAKING
        and after.phase == Phase.READY
        and before.stable is not None
        and after.stable is not None
        and before.stable.revision == after.stable.revision
    )
