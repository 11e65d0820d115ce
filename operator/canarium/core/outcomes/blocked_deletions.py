"""Deletions that are blocked by finalizers of other controllers.

Only the controller that owns a finalizer knows when to remove it, so the operator waits. Until it
does, the object keeps its name, a Deployment keeps its ReplicaSet and pods (the garbage collector
deletes them after it), and these keep their colour. Each such object is named in the message, in
the condition `DeletionBlocked` and in one Event, with its finalizers.
"""

from __future__ import annotations

from collections.abc import Iterable

from canarium.api import status
from canarium.api.reasons import ConditionReason, ConditionType
from canarium.api.status import Status
from canarium.core.context.context import RolloutContext
from canarium.core.decision.plan import Event
from canarium.core.facts.observed import BlockedDeletion
from canarium.core.messages import sentences
from canarium.core.times import stamp, time_text

#: Seconds after which a blocked deletion is reported.
PATIENCE = 10.0
#: Number of objects that the condition names, and of finalizers of each. The message of a phase
#: names one object.
_OBJECTS, _FINALIZERS = 3, 3
#: Number of objects, and of finalizers of each, that the status lists.
_LISTED = 10


def described(deletions: Iterable[BlockedDeletion], limit: int = _OBJECTS) -> str:
    """Returns sentences about up to `limit` objects and their finalizers; empty without any."""
    ordered = sorted(deletions, key=lambda one: one.object)
    parts = [
        f"{one.object} has been terminating since {time_text(one.due)} and is blocked "
        f"by {finalizers(one.finalizers)}"
        for one in ordered[:limit]
    ]
    more = len(ordered) - limit
    return sentences(*parts, _more(more))


def _more(count: int) -> str:
    if count < 1:
        return ""
    return f"{count} more object{' is' if count == 1 else 's are'} blocked in the same way"


def finalizers(names: tuple[str, ...]) -> str:
    """Returns finalizers as messages name them."""
    more = len(names) - _FINALIZERS
    listed = ", ".join(names[:_FINALIZERS]) + (f" and {more} more" if more > 0 else "")
    return f"the finalizer{'s' if len(names) > 1 else ''} {listed}"


def named(ctx: RolloutContext, message: str) -> str:
    """Returns `message` with blocked deletions, except that of a pod that the message names
    already."""
    hold = ctx.status.waiting_for
    waited_for = hold.pod if hold else None
    rest = (
        one for one in _overdue(ctx) if (one.object.kind, one.object.name) != ("Pod", waited_for)
    )
    return sentences(message, described(rest, limit=1))


def reported(ctx: RolloutContext) -> tuple[tuple[str, bool, str, str], ...]:
    """Returns the condition `DeletionBlocked` while any deletion is blocked."""
    overdue = _overdue(ctx)
    if not overdue:
        return ()
    text = described(overdue)
    return ((ConditionType.DELETION_BLOCKED, True, ConditionReason.FINALIZERS_PENDING, text),)


def listed(ctx: RolloutContext) -> tuple[status.BlockedDeletion, ...] | None:
    """Returns the blocked deletions for the status; None without any."""
    overdue = sorted(_overdue(ctx), key=lambda one: one.object)[:_LISTED]
    listed = (
        status.BlockedDeletion(
            object=one.object.status_text,
            finalizers=one.finalizers[:_LISTED],
            start_time=stamp(one.due),
        )
        for one in overdue
    )
    return tuple(listed) or None


def events(before: Status, after: Status) -> tuple[Event, ...]:
    """Returns an Event when other objects, or other finalizers, are involved than before."""
    reported_before = {(one.object, one.finalizers) for one in before.blocked_deletions or ()}
    new = [
        x for x in after.blocked_deletions or () if (x.object, x.finalizers) not in reported_before
    ]
    kind = ConditionType.DELETION_BLOCKED
    condition = next((c for c in after.conditions if c.type == kind), None)
    return (Event("Warning", kind, condition.message),) if condition and new else ()


def recheck(ctx: RolloutContext) -> float | None:
    """Returns the seconds until another object has to be reported."""
    waits = [one.due + PATIENCE - ctx.now for one in ctx.observed.blocked_deletions]
    return min((wait for wait in waits if wait > 0), default=None)


def _overdue(ctx: RolloutContext) -> list[BlockedDeletion]:
    return [one for one in ctx.observed.blocked_deletions if ctx.now >= one.due + PATIENCE]
