"""The Events of a model and of everything below it, in order."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from canarium import KIND
from canarium.view.ages import moment_of
from canarium.view.objects import REVISION_LABEL, Objects, Raw, items, label, number, part, text

#: Kinds of children that have the name of the model.
_NAMED_AS_THE_MODEL = ("Service", "HTTPRoute", "GRPCRoute", "VirtualService")


@dataclass(frozen=True, slots=True)
class Event:
    """An Event. `time` is when it was last seen, `count` how often."""

    time: str
    type: str
    reason: str
    object: str
    message: str
    count: int
    source: str = ""


def revisions_of(objects: Objects) -> frozenset[str]:
    """Returns every revision that is stored, or that the status remembers: Events of pods outlive
    the pods."""
    status = part(objects.model, "status")
    named = [text(x, "revision") for x in items(status, "history")]
    named += [text(part(status, x), "revision") for x in ("candidate", "stable", "failure")]
    stored = [label(x, REVISION_LABEL) for x in (*objects.records, *objects.deployments)]
    return frozenset(x for x in (*named, *stored) if x)


def is_of(event: Raw, model: str, revisions: Iterable[str]) -> bool:
    """Returns whether an Event is about the model, its Service, its route or its revisions.

    Names decide: that of a child is `<model>-<revision>`, with suffixes for ReplicaSets and pods.
    """
    about = part(event, "involvedObject") or part(event, "regarding")
    kind, name = text(about, "kind"), text(about, "name")
    if name == model or kind == KIND:
        return name == model and kind in (KIND, *_NAMED_AS_THE_MODEL)
    return any(re.fullmatch(rf"{re.escape(model)}-{re.escape(x)}(-.+)?", name) for x in revisions)


def events(objects: Iterable[Raw]) -> tuple[Event, ...]:
    """Returns the Events, the oldest first."""
    return tuple(sorted(map(event, objects), key=lambda x: (moment_of(x.time) or 0.0, x.object)))


def event(raw: Raw) -> Event:
    """Returns an Event of either API version."""
    series, about = part(raw, "series"), part(raw, "involvedObject") or part(raw, "regarding")
    times = (
        text(series, "lastObservedTime"),
        text(raw, "lastTimestamp"),
        text(raw, "eventTime"),
        text(raw, "deprecatedLastTimestamp"),
        text(part(raw, "metadata"), "creationTimestamp"),
    )
    return Event(
        time=next((x for x in times if x), ""),
        type=text(raw, "type") or "Normal",
        reason=text(raw, "reason"),
        object=f"{text(about, 'kind').lower()}/{text(about, 'name')}",
        message=text(raw, "message") or text(raw, "note"),
        count=max(1, number(series, "count"), number(raw, "count")),
        source=text(raw, "reportingComponent") or text(part(raw, "source"), "component"),
    )
