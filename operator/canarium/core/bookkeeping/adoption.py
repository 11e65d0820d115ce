"""Adopts the objects of a model of the same name that was deleted without its children (R20).

Adoption precedes any other decision: until the model owns all of them, its records and traffic are
unknown. It changes only the owner of an object, so no pod restarts and no traffic moves; afterwards
the model is like one that has lost its status (R18).
"""

from __future__ import annotations

from collections.abc import Iterable

from canarium.api.reasons import EventReason
from canarium.api.states import Phase
from canarium.api.status import Status
from canarium.core.decision.plan import Adopt, Event, Plan
from canarium.core.facts.object_ref import ObjectRef
from canarium.core.facts.observed import NameConflict, Observed
from canarium.core.messages import sentences
from canarium.core.outcomes.blocked_deletions import described

#: Records first: the other objects are interpreted by them.
_ORDER = ("ControllerRevision", "Deployment", "HorizontalPodAutoscaler")
_LISTED = 3
#: Seconds; the change itself wakes the model.
_AGAIN = 5.0


def adoption(status: Status, observed: Observed) -> Plan | None:
    """Returns the decision to adopt what has no owner; None when there is nothing that may be."""
    if observed.owned_by_deleted:
        # Some of what it left may not be ours to see yet: without its record, what serves looks
        # like nothing, and the new spec like a first version that needs no steps.
        text = (
            f"Waiting for the garbage collector to finish with "
            f"{_listed(observed.owned_by_deleted)}, "
            "still owned by a deleted model of this name"
        )
        text = sentences(text, described(observed.blocked_deletions))
        after = status.model_copy(update={"phase": Phase.STARTING.value, "message": text})
        return Plan(
            phase=Phase.STARTING, status=after, requeue_after=_AGAIN, status_is_urgent=False
        )
    rejected = {rejection.object for rejection in observed.rejections}
    adoptable = [one for one in observed.orphans if one.object not in rejected]
    if not adoptable:
        return None
    adoptable.sort(key=lambda one: (_place(one.object.kind), one.object.name))
    listed = _listed([one.object for one in adoptable])
    text = f"Adopted {listed}, left by a deleted model of this name"
    return Plan(
        phase=Phase.STARTING,
        status=_begun(status, text) if status.is_new else status,
        actions=tuple(Adopt(one.object.kind, one.object.name, one.uid) for one in adoptable),
        events=(Event("Normal", EventReason.ADOPTED, text),),
        status_is_urgent=False,
    )


def conflicts(observed: Observed, model: str) -> str:
    """Returns the message that names are taken, and what a user can do about it."""
    one = len(observed.name_conflicts) == 1
    what = _listed(observed.name_conflicts)
    text = f"{what} {'exists and is' if one else 'exist and are'} not controlled by this model"
    objects = {each.object for each in observed.name_conflicts}
    leaving = [each for each in observed.blocked_deletions if each.object in objects]
    rest = len(leaving) < len(observed.name_conflicts)
    return sentences(text, described(leaving), how_to_adopt(model) if rest else "")


def how_to_adopt(model: str) -> str:
    """Returns how a user lets the model adopt an object, and what deleting it costs."""
    return (
        f"To adopt an object without a controller, annotate it with canarium.dev/adopt={model}. "
        "Deleting the object instead also stops its pods or its traffic"
    )


def _begun(status: Status, text: str) -> Status:
    return status.model_copy(update={"phase": Phase.STARTING.value, "message": text})


def _place(kind: str) -> int:
    return _ORDER.index(kind) if kind in _ORDER else len(_ORDER)


def _listed(objects: Iterable[ObjectRef | NameConflict]) -> str:
    all_of = [str(one) for one in objects]
    more = len(all_of) - _LISTED
    return ", ".join(all_of[:_LISTED]) + (f" and {more} more" if more > 0 else "")
