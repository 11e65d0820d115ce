"""Writes that the API server refuses, and when each is tried again.

A refusal is believed for a while, so that a decision can show it and plan around it; then the
write is tried again. The wait doubles from half a second, up to two seconds while callers depend
on the write (a failed version keeps its traffic until it succeeds) and up to thirty otherwise. A
successful write of the object ends the refusal at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from canarium.api.reasons import RefusalReason
from canarium.core.bookkeeping.adoption import how_to_adopt
from canarium.core.facts.observed import Rejection, Runtime
from canarium.engine.cache.store import Key
from canarium.kube.errors import ApiError
from canarium.kube.refusals import refusal_reason
from canarium.kube.resources import Resource

#: What a refusal was an answer to: the spec's generation, and the runtime that it meant.
Wish = tuple[int, Runtime]
#: Kinds that matter less than the pods of a spec, and than what splits traffic.
_LAST = {"Deployment": 1, "HorizontalPodAutoscaler": 2, "ConfigMap": 2, "ControllerRevision": 3}
_FIRST_WAIT = 0.5
#: The longest wait while callers depend on the write, and otherwise.
URGENT, PATIENT = 2.0, 30.0
#: A moment more than the wait, so that the retry finds it over; with it the wait stays in bounds.
_MARGIN = 0.1


class WriteRejected(Exception):
    """A write that cannot succeed as things are; `rejection` tells a decision of it."""

    def __init__(self, rejection: Rejection) -> None:
        super().__init__(rejection.message)
        self.rejection = rejection


@dataclass(frozen=True, slots=True)
class _Attempt:
    """One refused object: what was asked, when it was refused last and how often in a row."""

    wish: Wish
    at: float
    count: int
    rejection: Rejection

    def due(self, longest: float) -> float:
        """When it is tried again."""
        wait = min(longest, _FIRST_WAIT * 2.0 ** min(self.count - 1, 10))
        return self.at + wait - _MARGIN


class Rejections:
    """Which objects of each model were refused, and when each is tried again.

    All of them are known: with the last alone, two refusals in turn would each be the reason to try
    the other one again. `clock` is in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self._known: dict[Key, dict[str, _Attempt]] = {}
        self._urgent: set[Key] = set()
        #: Models whose last decision believed a refusal that is over.
        self._outdated: set[Key] = set()

    def note(self, key: Key, wish: Wish, rejection: Rejection) -> None:
        """A write of the object was refused, again or for the first time."""
        known = self._known.setdefault(key, {})
        old = known.get(rejection.what)
        count = old.count + 1 if old and old.wish == wish else 1
        known[rejection.what] = _Attempt(wish, self.clock(), count, rejection)

    def lift(self, key: Key, what: str) -> None:
        """A write of the object succeeded."""
        old = self._known.get(key, {}).pop(what, None)
        if old and self.clock() < old.due(self._longest(key)):
            self._outdated.add(key)

    def outdated(self, key: Key) -> bool:
        """Whether a refusal that the present decision believed is over; asked once."""
        found = key in self._outdated
        self._outdated.discard(key)
        return found

    @contextmanager
    def watching(self, key: Key, resource: Resource, name: str) -> Iterator[None]:
        """A write in this context raises Refused when it is refused, else the error itself; one
        that succeeds ends the refusal."""
        try:
            yield
        except ApiError as error:
            raise refusal(resource, name, error) from error
        self.lift(key, f"{resource.kind} {name}")

    def press(self, key: Key, urgent: bool) -> None:
        """Whether callers depend on what is refused. What was refused before they did says little
        about the write that they need, such as weights without the spec's new route: that one is
        tried at once."""
        if urgent and key not in self._urgent and key in self._known:
            over = self.clock() - URGENT
            known = self._known[key]
            self._known[key] = {what: replace(a, at=min(a.at, over)) for what, a in known.items()}
            self._outdated.add(key)
        (self._urgent.add if urgent else self._urgent.discard)(key)

    def of(self, key: Key, wish: Wish) -> tuple[Rejection, ...]:
        """Those that answered this very `wish` and are still believed; what traffic needs first.

        One that is due for a retry is left out. It is forgotten unless the write is refused again
        within the next wait: nothing wants that write any more.
        """
        now, longest = self.clock(), self._longest(key)
        known = {
            what: attempt
            for what, attempt in self._known.get(key, {}).items()
            if attempt.wish == wish and now < attempt.due(longest) + PATIENT
        }
        if known:
            self._known[key] = known
        else:
            self._known.pop(key, None)
        believed = (a.rejection for a in known.values() if now < a.due(longest))
        return tuple(sorted(believed, key=_weight))

    def next_try(self, key: Key) -> float | None:
        """Seconds until the first of them is tried again; None when none is refused."""
        now, longest = self.clock(), self._longest(key)
        waits = (a.due(longest) - now for a in self._known.get(key, {}).values())
        return min((wait for wait in waits if wait > 0), default=None)

    def forget(self, key: Key) -> None:
        self._known.pop(key, None)
        self._urgent.discard(key)
        self._outdated.discard(key)

    def _longest(self, key: Key) -> float:
        return URGENT if key in self._urgent else PATIENT


def _weight(rejection: Rejection) -> tuple[bool, int, str]:
    kind = rejection.what.split(" ")[0]
    return not rejection.conflict, _LAST.get(kind, 0), rejection.what


def refusal(resource: Resource, name: str, error: ApiError) -> Exception:
    """What the answer to a write means: Refused, or the error itself to try again."""
    reason = refusal_reason(error)
    if reason is None:
        return error
    return WriteRejected(Rejection(f"{resource.kind} {name}", error.message, reason=reason.value))


def conflict(
    resource: Resource, body: Mapping[str, Any], owners: Iterable[Mapping[str, Any]] = ()
) -> WriteRejected:
    """The name of `body` is taken by an object of somebody else (R24)."""
    meta = body["metadata"]
    owner = next((o for o in owners if o.get("controller")), None)
    whose = "has no controller"
    if owner:
        whose = f"is controlled by {owner.get('kind')}/{owner.get('name')}"
    parent = meta["ownerReferences"][0]
    text = f"an object of this name exists and {whose}. {how_to_adopt(parent['name'])}"
    what = f"{resource.kind} {meta['name']}"
    return WriteRejected(
        Rejection(what, text, conflict=True, reason=RefusalReason.NAME_CONFLICT.value)
    )
