"""Writes that the API server rejected, and when each is retried.

A rejection is a fact for a while, so that decisions can report it and plan around it; then the
write is retried. The wait doubles from half a second up to two seconds while traffic depends on the
write (a failed version keeps its traffic until it succeeds), and up to thirty otherwise. A
successful write of the object ends the rejection at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from canarium.api.reasons import RejectionReason
from canarium.core.bookkeeping.adoption import how_to_adopt
from canarium.core.facts.object_ref import ObjectRef
from canarium.core.facts.observed import Rejection, ResolvedRuntime
from canarium.engine.cache.store import Key
from canarium.kube.errors import ApiError
from canarium.kube.rejections import rejection_reason
from canarium.kube.resources import Resource

#: What a rejection is valid for: the generation of the spec, and the runtime that it selects.
Inputs = tuple[int, ResolvedRuntime]
#: Kinds that matter less than the dry-run pod and than what splits traffic.
_LAST = {
    "Deployment": 1,
    "HorizontalPodAutoscaler": 2,
    "ConfigMap": 2,
    "ControllerRevision": 3,
    "PodDisruptionBudget": 4,
}
_FIRST_WAIT = 0.5
#: The longest wait while callers depend on the write, and otherwise.
URGENT, PATIENT = 2.0, 30.0
#: Subtracted from the wait, so that it is over when the retry runs and stays within its bounds.
_MARGIN = 0.1


class WriteRejected(Exception):
    """The API server rejects a write until something changes; `rejection` is the fact for
    decisions."""

    def __init__(self, rejection: Rejection) -> None:
        super().__init__(rejection.message)
        self.rejection = rejection


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One rejected object: what was asked, when it was last rejected, and how often in a row."""

    inputs: Inputs
    at: float
    count: int
    rejection: Rejection

    def due(self, longest: float) -> float:
        """Returns when it is retried."""
        wait = min(longest, _FIRST_WAIT * 2.0 ** min(self.count - 1, 10))
        return self.at + wait - _MARGIN


class Rejections:
    """Which objects of each model were rejected, and when each is retried.

    All of them are kept: with only the last one, two alternating rejections would each cause a
    retry of the other. `clock` is in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._attempts: dict[Key, dict[ObjectRef, _Attempt]] = {}
        self._urgent: set[Key] = set()
        #: Models whose last decision used a rejection that is over.
        self._outdated: set[Key] = set()

    def add(self, key: Key, inputs: Inputs, rejection: Rejection) -> None:
        """Notes that a write of the object was rejected."""
        attempts = self._attempts.setdefault(key, {})
        old = attempts.get(rejection.object)
        count = old.count + 1 if old and old.inputs == inputs else 1
        attempts[rejection.object] = _Attempt(inputs, self.clock(), count, rejection)

    def clear(self, key: Key, ref: ObjectRef) -> None:
        """Notes that a write of the object succeeded."""
        old = self._attempts.get(key, {}).pop(ref, None)
        if old and self.clock() < old.due(self._longest(key)):
            self._outdated.add(key)

    def outdated(self, key: Key) -> bool:
        """Returns whether a rejection that the last decision used is over; resets the answer."""
        is_outdated = key in self._outdated
        self._outdated.discard(key)
        return is_outdated

    @contextmanager
    def guarding(self, key: Key, resource: Resource, name: str) -> Iterator[None]:
        """Raises WriteRejected for a write in this context that is rejected, and other errors as
        they are; a write that succeeds ends the rejection."""
        try:
            yield
        except ApiError as error:
            raise rejection_of(resource, name, error) from error
        self.clear(key, ObjectRef(resource.kind, name))

    def set_urgent(self, key: Key, urgent: bool) -> None:
        """Sets whether traffic depends on the rejected writes. An earlier rejection may not
        apply to the write that is needed then, such as weights without the spec's new route: that
        one is retried at once.

        A decision does not know of a rejection that is due for a retry, so it does not end the
        urgency: otherwise the longer wait would make the rejection valid again, and that the
        urgency, without end."""
        if not urgent and self._retries(key):
            return
        if urgent and key not in self._urgent and key in self._attempts:
            over = self.clock() - URGENT
            attempts = self._attempts[key]
            self._attempts[key] = {
                ref: replace(a, at=min(a.at, over)) for ref, a in attempts.items()
            }
            self._outdated.add(key)
        (self._urgent.add if urgent else self._urgent.discard)(key)

    def of(self, key: Key, inputs: Inputs) -> tuple[Rejection, ...]:
        """Returns the rejections of this `inputs` that still hold, those that traffic needs first.

        One that is due for a retry is left out. It is forgotten unless the write is rejected again
        within the next wait: nothing asks for that write any more.
        """
        now, longest = self.clock(), self._longest(key)
        attempts = {
            ref: attempt
            for ref, attempt in self._attempts.get(key, {}).items()
            if attempt.inputs == inputs and now < attempt.due(longest) + PATIENT
        }
        if attempts:
            self._attempts[key] = attempts
        else:
            self._attempts.pop(key, None)
        believed = (a.rejection for a in attempts.values() if now < a.due(longest))
        return tuple(sorted(believed, key=_weight))

    def next_try(self, key: Key) -> float | None:
        """Returns the seconds until the first retry; None when nothing is rejected."""
        now, longest = self.clock(), self._longest(key)
        waits = (a.due(longest) - now for a in self._attempts.get(key, {}).values())
        return min((wait for wait in waits if wait > 0), default=None)

    def forget(self, key: Key) -> None:
        self._attempts.pop(key, None)
        self._urgent.discard(key)
        self._outdated.discard(key)

    def _retries(self, key: Key) -> bool:
        """Returns whether a rejection was left out of the last decision, for a retry."""
        now, longest = self.clock(), self._longest(key)
        return any(now >= attempt.due(longest) for attempt in self._attempts.get(key, {}).values())

    def _longest(self, key: Key) -> float:
        return URGENT if key in self._urgent else PATIENT


def _weight(rejection: Rejection) -> tuple[bool, int, ObjectRef]:
    ref = rejection.object
    # What is not created yet has no name: without it there is no new revision.
    return not rejection.conflict, _LAST.get(ref.kind, 0) if ref.name else 0, ref


def rejection_of(resource: Resource, name: str, error: ApiError) -> Exception:
    """Returns WriteRejected, or the error itself if the write may be retried as it is."""
    reason = rejection_reason(error)
    if reason is None:
        return error
    return WriteRejected(
        Rejection(ObjectRef(resource.kind, name), error.detail(resource, name), reason=reason.value)
    )


def conflict(
    resource: Resource, body: Mapping[str, Any], owners: Iterable[Mapping[str, Any]] = ()
) -> WriteRejected:
    """Returns the rejection for a name that another owner's object already has (R24)."""
    meta = body["metadata"]
    owner = next((o for o in owners if o.get("controller")), None)
    whose = "has no controller"
    if owner:
        whose = f"is controlled by {owner.get('kind')}/{owner.get('name')}"
    parent = meta["ownerReferences"][0]
    text = f"an object of this name exists and {whose}. {how_to_adopt(parent['name'])}"
    ref = ObjectRef(resource.kind, meta["name"])
    return WriteRejected(
        Rejection(ref, text, conflict=True, reason=RejectionReason.NAME_CONFLICT.value)
    )
