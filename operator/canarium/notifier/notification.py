"""A notification: one transition of one model, as sinks receive it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from canarium.api.status.transition import KEPT, Transition
from canarium.core.times import parse
from canarium.notifier.settings import Match, Sink


@dataclass(frozen=True, slots=True)
class ModelChoices:
    """spec.notifications of a model: what it takes from what is permitted; None: everything.

    `title` and `body` are templates of the model.
    """

    sinks: frozenset[str] | None = None
    types: frozenset[str] | None = None
    title: str | None = None
    body: str | None = None

    def takes(self, sink: Sink, kind: str) -> bool:
        """Returns whether notifications of the type `kind` are for `sink`."""
        # A trace consists of all types.
        wanted = self.types is None or kind in self.types or sink.traces is not None
        return wanted and self.names(sink)

    def names(self, sink: Sink) -> bool:
        """Returns whether `sink` is among those of the model."""
        return not sink.match.named if self.sinks is None else sink.name in self.sinks


_TEMPLATES = ("title", "body")


class Labels(dict[str, str]):
    """Labels of a model; one that it does not have is empty, so that templates may use any."""

    def __missing__(self, key: str) -> str:
        return ""


@dataclass(frozen=True, slots=True)
class Notification:
    """A transition with the model that it belongs to."""

    namespace: str
    name: str
    uid: str
    labels: Mapping[str, str]
    transition: Transition
    #: Transitions before it that the status still had, oldest first.
    earlier: tuple[Transition, ...] = ()
    choices: ModelChoices = ModelChoices()

    @property
    def id(self) -> str:
        """Identifies it for good: a receiver that has seen it may drop a second delivery."""
        return f"{self.uid}/{self.transition.time}"

    def is_for(self, sink: Sink) -> bool:
        """Returns whether an administrator permits `sink` to receive it, and its model wants it."""
        return self.matches(sink.match) and self.choices.takes(sink, self.transition.type)

    def matches(self, match: Match) -> bool:
        """Returns whether a sink with `match` may receive it."""
        return (not match.types or self.transition.type in match.types) and _selects(
            match, self.namespace, self.labels
        )

    def variables(self, cluster: str) -> dict[str, Any]:
        """Returns the variables of templates, and the data of a CloudEvent."""
        shown = self.transition.model_dump(mode="json", by_alias=True)
        return {
            "cluster": cluster,
            "namespace": self.namespace,
            "name": self.name,
            "labels": Labels(self.labels),
            **shown,
        }


@dataclass(frozen=True, slots=True)
class ModelTransitions:
    """What the notifier keeps of a `ModelDeployment`."""

    namespace: str
    name: str
    uid: str
    version: int
    labels: Mapping[str, str] = field(default_factory=dict)
    transitions: tuple[Transition, ...] = ()
    choices: ModelChoices = ModelChoices()

    def notifications(self) -> tuple[Notification, ...]:
        """Returns all transitions in its status, oldest first."""
        return tuple(
            Notification(
                self.namespace,
                self.name,
                self.uid,
                self.labels,
                transition,
                earlier,
                self.choices,
            )
            for transition, earlier in self._with_earlier()
        )

    def is_for(self, sink: Sink) -> bool:
        """Returns whether `sink` receives notifications of the model of any type."""
        return _selects(sink.match, self.namespace, self.labels) and self.choices.names(sink)

    def lacks_after(self, moment: str) -> bool:
        """Returns whether transitions after `moment` may have left the status: it keeps `KEPT`, and
        all of them are later."""
        return len(self.transitions) >= KEPT and self.transitions[0].time > moment

    def _with_earlier(self) -> Iterator[tuple[Transition, tuple[Transition, ...]]]:
        for index, transition in enumerate(self.transitions):
            yield transition, self.transitions[:index]


def _selects(match: Match, namespace: str, labels: Mapping[str, str]) -> bool:
    return (not match.namespaces or namespace in match.namespaces) and all(
        labels.get(key) == value for key, value in match.labels.items()
    )


def project(raw: dict[str, Any]) -> ModelTransitions:
    """Returns the projection of a raw model. A transition that cannot be read, as after an edit by
    hand, is left out."""
    meta = raw["metadata"]
    listed = (raw.get("status") or {}).get("transitions")
    return ModelTransitions(
        meta["namespace"],
        meta["name"],
        meta["uid"],
        int(meta["resourceVersion"]),
        meta.get("labels") or {},
        tuple(_readable(listed if isinstance(listed, list) else [])),
        _choices(raw),
    )


def _choices(raw: dict[str, Any]) -> ModelChoices:
    # The schema has validated it, unless the CRD is older than this process or newer.
    stated = (raw.get("spec") or {}).get("notifications")
    stated = stated if isinstance(stated, dict) else {}
    return ModelChoices(
        _texts(stated.get("sinks")),
        _texts(stated.get("types")),
        *(x if isinstance(x := stated.get(name), str) and x else None for name in _TEMPLATES),
    )


def _texts(listed: Any) -> frozenset[str] | None:
    return frozenset(map(str, listed)) if isinstance(listed, list) else None


def _readable(listed: list[Any]) -> list[Transition]:
    transitions = []
    for one in listed:
        try:
            transition = Transition.model_validate(one)
            parse(transition.time)
        except ValueError:
            continue
        transitions.append(transition)
    return sorted(transitions, key=lambda transition: transition.time)
