"""The revisions of a model as a history: what each is made of, when it served, how it ended."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from canarium import GROUP
from canarium.core.facts.images import merged, parse_images
from canarium.core.facts.periods import Period
from canarium.view.failures import failure_of_revision
from canarium.view.objects import REVISION_LABEL, Objects, Raw, annotation, items, label, part, text
from canarium.view.revisions import revisions
from canarium.view.serving import serving_periods
from canarium.view.training_run import training_run
from canarium.view.tree import Role


@dataclass(frozen=True, slots=True)
class Serving:
    """A time with traffic: from the first request, promoted when it received all, until the last;
    `until_time` is empty while it continues."""

    from_time: str
    promoted_time: str = ""
    until_time: str = ""


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """One revision. `number` is 0 and most fields are empty where the record was pruned.

    `outcome`, `reason`, `message`, `by` and `time` are those of its last entry in the status'
    history; `by` is `operator`, `spec`, or a command with its token. `applied_by` is the field
    manager that wrote the spec. `failed_weight` is the percentage of the traffic that it had when
    it failed, and `failed_step` the step, such as `2/4`; None and empty if it did not fail, or if
    that is unknown. `training_run` is what the tracking server knew about its model.
    """

    revision: str
    number: int
    version: str
    role: Role
    image: str = ""
    image_digests: tuple[str, ...] = ()
    uri: str = ""
    artifact: str = ""
    resolved: str = ""
    served: tuple[Serving, ...] = ()
    outcome: str = ""
    reason: str = ""
    message: str = ""
    by: str = ""
    time: str = ""
    applied_by: str = ""
    created: str = ""
    failed_weight: int | None = None
    failed_step: str = ""
    training_run: Raw | None = None


def history(objects: Objects, traffic_object: Raw | None, now: float) -> tuple[HistoryEntry, ...]:
    """Returns the revisions of a model, the newest first; then those whose records were pruned and
    that only the status remembers.

    `traffic_object` is the route, or else the Service, with the current traffic record.
    """
    status = part(objects.model, "status")
    outcomes = items(status, "history")
    periods = serving_periods(objects.records, traffic_object, outcomes)
    stored = {label(record, REVISION_LABEL): record for record in objects.records}
    entries = []
    for revision in revisions(objects, now, old=len(stored)):
        record = stored.get(revision.revision, {})
        mine = [period for period in periods if period.revision == revision.revision]
        last = _last(outcomes, revision.revision)
        failure = failure_of_revision(revision.revision, record, status)
        entries.append(
            HistoryEntry(
                revision=revision.revision,
                number=revision.number,
                version=revision.version,
                role=revision.role,
                image=revision.image,
                image_digests=_digests(record, mine),
                uri=text(part(record, "data", "model"), "uri") or text(last, "uri"),
                artifact=revision.artifact or text(last, "artifact"),
                resolved=text(part(record, "data", "identity"), "resolved")
                or text(last, "resolved"),
                served=tuple(_serving(period) for period in mine),
                applied_by=text(part(record, "data", "applied"), "manager"),
                created=revision.created or text(last, "startTime"),
                failed_weight=failure.weight if failure else None,
                failed_step=failure.step if failure else "",
                training_run=training_run(record),
                **_outcome(last),
            )
        )
    live = {entry.revision for entry in entries}
    entries.sort(key=lambda entry: -entry.number)
    pruned = dict.fromkeys(text(x, "revision") for x in outcomes)
    for name in pruned:
        if name and name not in live:
            mine = [period for period in periods if period.revision == name]
            last = _last(outcomes, name)
            failure = failure_of_revision(name, {}, status)
            entries.append(
                HistoryEntry(
                    revision=name,
                    number=0,
                    version=text(last, "version"),
                    role=Role.OLD,
                    image_digests=_digests({}, mine),
                    uri=text(last, "uri"),
                    artifact=text(last, "artifact"),
                    resolved=text(last, "resolved"),
                    served=tuple(_serving(period) for period in mine),
                    created=text(last, "startTime"),
                    failed_weight=failure.weight if failure else None,
                    failed_step=failure.step if failure else "",
                    training_run=None,
                    **_outcome(last),
                )
            )
    return tuple(entries)


def _last(outcomes: Iterable[Raw], revision: str) -> Raw:
    return next((x for x in outcomes if text(x, "revision") == revision), {})


def _outcome(last: Raw) -> dict[str, str]:
    return {name: text(last, name) for name in ("outcome", "reason", "message", "by", "time")}


def _serving(period: Period) -> Serving:
    return Serving(period.began, period.promoted or "", period.ended or "")


def _digests(record: Raw, mine: Iterable[Period]) -> tuple[str, ...]:
    """Returns the images that the pods ran, each as `container=digest`."""
    recorded = parse_images(annotation(record, f"{GROUP}/images"))
    every = merged((recorded, *(period.images for period in mine)))
    return tuple(f"{name}={image}" for name, images in sorted(every.items()) for image in images)
