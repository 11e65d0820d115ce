"""Writes that cannot succeed as things are, and what a decision is told of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from canarium.core.observed import REFUSAL_LASTS, Rejection, Runtime
from canarium.engine.store import Key
from canarium.kube.faults import ApiError
from canarium.kube.kinds import Resource

#: What a refusal was an answer to: the spec's generation, and the runtime that it meant.
Wish = tuple[int, Runtime]
#: Kinds that matter less than the pods of a spec, and than what splits traffic.
_LAST = {"Deployment": 1, "HorizontalPodAutoscaler": 2, "ConfigMap": 2, "ControllerRevision": 3}


class Refused(Exception):
    """A write that cannot succeed as things are; `rejection` tells a decision of it."""

    def __init__(self, rejection: Rejection) -> None:
        super().__init__(rejection.message)
        self.rejection = rejection


class Refusals:
    """Which objects of each model were refused, and are not written again for a while.

    All of them are known: with the last alone, two refusals in turn would each be the reason to try
    the other one again. `clock` is in seconds.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._known: dict[Key, dict[str, tuple[Wish, float, Rejection]]] = {}

    def note(self, key: Key, wish: Wish, rejection: Rejection) -> None:
        self._known.setdefault(key, {})[rejection.what] = (wish, self._clock(), rejection)

    def of(self, key: Key, wish: Wish) -> tuple[Rejection, ...]:
        """Those that answered this very `wish` and are still believed; what traffic needs first."""
        known = self._known.get(key, {})
        for what, (asked, at, _) in list(known.items()):
            if asked != wish or self._clock() - at >= REFUSAL_LASTS:
                del known[what]
        if not known:
            self._known.pop(key, None)
        return tuple(sorted((r for _, _, r in known.values()), key=_weight))

    def forget(self, key: Key) -> None:
        self._known.pop(key, None)


def _weight(rejection: Rejection) -> tuple[bool, int, str]:
    kind = rejection.what.split(" ")[0]
    return not rejection.conflict, _LAST.get(kind, 0), rejection.what


def refusal(resource: Resource, name: str, error: ApiError) -> Exception:
    """What the answer to a write means: Refused, or the error itself to try again."""
    if not error.rejected:
        return error
    return Refused(Rejection(f"{resource.kind} {name}", error.message))


@contextmanager
def refusable(resource: Resource, name: str) -> Iterator[None]:
    """A write in this context raises Refused when it is refused, else the error itself."""
    try:
        yield
    except ApiError as error:
        raise refusal(resource, name, error) from error


def conflict(resource: Resource, body: Mapping[str, Any]) -> Refused:
    """The name of `body` is somebody else's (R24)."""
    what = f"{resource.kind} {body['metadata']['name']}"
    text = "exists and is not ours: rename or remove it"
    return Refused(Rejection(what, text, conflict=True))
