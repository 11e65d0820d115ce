"""Who served when: periods of revisions, and marks for what happened."""

from __future__ import annotations

from dataclasses import dataclass

from canarium.core.facts.revision import recorded_version
from canarium.view.ages import moment_of
from canarium.view.objects import REVISION_LABEL, Objects, Raw, items, label, part, text
from canarium.view.serving import serving_periods

#: The timeline shows this many revisions, those that had traffic last.
LANES = 8


@dataclass(frozen=True, slots=True)
class Period:
    """A time in which a revision had traffic: some from `began`, all from `promoted` on. Times are
    POSIX seconds; `ended` is None while it has traffic."""

    revision: str
    version: str
    began: float
    promoted: float | None
    ended: float | None


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened at one moment: `kind` is `promoted`, `failed`, `ended` or
    `command`."""

    time: float
    kind: str
    revision: str
    text: str


def periods(objects: Objects) -> tuple[Period, ...]:
    """Returns the periods of the last revisions, the oldest first. Records that are damaged are
    left out."""
    history = items(part(objects.model, "status"), "history")
    stored = serving_periods(objects.records, traffic_object(objects), history)
    versions = versions_of(objects)
    periods = []
    for period in stored:
        began = moment_of(period.began)
        if began is not None:
            promoted, ended = moment_of(period.promoted or ""), moment_of(period.ended or "")
            version = versions.get(period.revision, "")
            periods.append(Period(period.revision, version, began, promoted, ended))
    periods.sort(key=lambda p: p.began)
    recent: dict[str, None] = {}
    for one in reversed(periods):
        if len(recent) < LANES or one.revision in recent:
            recent[one.revision] = None
    return tuple(p for p in periods if p.revision in recent)


def traffic_object(objects: Objects) -> Raw | None:
    """Returns the object with the current traffic record: the route of the model, or else its
    Service. Without it, the periods end with what the records contain."""
    name = text(part(objects.model, "metadata"), "name")
    kind = text(part(objects.model, "status", "route"), "kind")
    candidates = objects.routes if kind else objects.services
    return next((s for s in candidates if text(part(s, "metadata"), "name") == name), None)


def versions_of(objects: Objects) -> dict[str, str]:
    """Returns the version of each revision, as far as it is stored."""
    versions = {
        label(record, REVISION_LABEL): recorded_version(part(record, "data")) or ""
        for record in objects.records
    }
    for outcome in items(part(objects.model, "status"), "history"):
        versions.setdefault(text(outcome, "revision"), text(outcome, "version"))
    return versions


_KINDS = {
    "Promoted": "promoted",
    "TookOver": "ended",
    "RolledBack": "failed",
    "Failed": "failed",
    "Undone": "failed",
    "Superseded": "ended",
    "Withdrawn": "ended",
}


def marks(model: Raw) -> tuple[Mark, ...]:
    """Returns how revisions were promoted or ended, and commands, the oldest first."""
    status = part(model, "status")
    listed = []
    for outcome in items(status, "history"):
        moment = moment_of(text(outcome, "time"))
        if moment is None:
            continue
        word, by = text(outcome, "outcome"), text(outcome, "by")
        why = text(outcome, "message") or text(outcome, "reason")
        words = f"{word}: {why}" if why else word
        if by and by != "operator":
            words += f" (by {by})"
        revision = text(outcome, "revision")
        listed.append(Mark(moment, _KINDS.get(word, "ended"), revision, words))
    for command in items(status, "commands"):
        moment = moment_of(text(command, "time"))
        if moment is not None:
            words = f"{text(command, 'command')}: {text(command, 'result')}"
            words += f", {text(command, 'message')}" if text(command, "message") else ""
            listed.append(Mark(moment, "command", text(command, "revision"), words))
    return tuple(sorted(listed, key=lambda m: m.time))
