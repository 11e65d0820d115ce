"""Writes that the API server rejects: by quota, policy, webhook, missing RBAC or validation.

A rejection is a fact like any other: it is reported in `status.rejectedWrites`, in the condition
`WritesRejected` and by an Event, in every phase, with the text of the API server or webhook, until
the next successful write of that object. Decisions depend on object and reason, never on that text
(R30).
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import takewhile

from canarium.api.reasons import EventReason, RejectionReason
from canarium.api.status import RejectedWrite, Status
from canarium.core.context.context import RolloutContext
from canarium.core.decision.plan import Action, Event, SelectColor, SetRouteWeights
from canarium.core.facts.object_ref import TRIAL_POD, UNRENDERED_RECORD, ObjectRef
from canarium.core.facts.observed import QUOTED, Rejection
from canarium.core.times import stamp

#: Number of rejected objects that are listed; a full quota may reject more.
_LISTED = 10


def blocked(ctx: RolloutContext) -> Rejection | None:
    """Returns the rejection of the write that moves traffic; None if it was not rejected."""
    kinds = ["Service", *([ctx.route_kind.kind] if ctx.route_kind else [])]
    return ctx.observed.rejected(*(ObjectRef(kind, ctx.name) for kind in kinds))


def reason_of(rejection: Rejection) -> str:
    return RejectionReason.NAME_CONFLICT.value if rejection.conflict else rejection.reason


def quoted(rejection: Rejection) -> str:
    """Returns a rejection for a message: the object, and the text of who rejected it."""
    text = rejection.message[:QUOTED]
    if rejection.object == TRIAL_POD:
        return f"the API server rejects pods created from this spec: {text}"
    return text if rejection.object == UNRENDERED_RECORD else rejection.quoted()


def until_rejected(ctx: RolloutContext, actions: Iterable[Action]) -> tuple[Action, ...]:
    """Returns `actions` up to the first one whose object is rejected now.

    The actions after it would move the traffic of some callers without that of the others. The
    rejected one is repeated when it is due.
    """
    return tuple(takewhile(lambda action: not _is_rejected(ctx, action), actions))


def _is_rejected(ctx: RolloutContext, action: Action) -> bool:
    kind = "Service" if isinstance(action, SelectColor) else None
    kind = action.kind.kind if isinstance(action, SetRouteWeights) else kind
    return kind is not None and ctx.observed.rejected(ObjectRef(kind, ctx.name)) is not None


def rejected_writes(ctx: RolloutContext) -> tuple[RejectedWrite, ...] | None:
    """Returns the rejections for the status; a start time is kept while object and reason are."""
    since = {(old.object, old.reason): old.start_time for old in ctx.status.rejected_writes or ()}
    writes = tuple(
        RejectedWrite(
            object=r.object.status_text,
            reason=reason_of(r),
            message=r.message[:QUOTED],
            start_time=since.get((r.object.status_text, reason_of(r)), stamp(ctx.now)),
        )
        for r in ctx.observed.rejections[:_LISTED]
    )
    return writes or None


def rejection_events(ctx: RolloutContext, before: Status) -> tuple[Event, ...]:
    """Returns an Event for each object whose write is newly rejected, or for another reason."""
    reported_before = {(old.object, old.reason) for old in before.rejected_writes or ()}
    return tuple(
        Event(
            "Warning",
            EventReason.WRITE_REJECTED,
            f"{new.object}: {reason_of(new)}: {new.message[:QUOTED]}",
        )
        for new in ctx.observed.rejections[:_LISTED]
        if (new.object.status_text, reason_of(new)) not in reported_before
    )
