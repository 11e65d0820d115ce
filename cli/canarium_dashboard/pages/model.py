"""A model: its rollout, who served when, its checks, what it waits for, and what runs."""

from __future__ import annotations

import time
from dataclasses import dataclass

from markupsafe import Markup
from starlette.requests import Request
from starlette.responses import Response

from canarium.view.ages import moment_of, short
from canarium.view.commands import answer_of
from canarium.view.difference import Difference, differences, find, usual_pair
from canarium.view.explanation import explanations
from canarium.view.failures import failed_at, failure_of_revision
from canarium.view.history import history
from canarium.view.model import view
from canarium.view.objects import REVISION_LABEL, Objects, Raw, label, number, part, text
from canarium.view.unknown import unknown_parts
from canarium_dashboard.access.identity import Identity
from canarium_dashboard.dashboard import Dashboard
from canarium_dashboard.drawing.checks import plot
from canarium_dashboard.drawing.timeline import timeline
from canarium_dashboard.drawing.weights import weights
from canarium_dashboard.pages import gates
from canarium_dashboard.pages.answers import page
from canarium_dashboard.pages.commands import offers
from canarium_dashboard.serving import marks, periods, traffic_object

#: Old revisions, Events and marks that a page shows.
_OLD, _EVENTS, _MARKS = 10, 50, 20


@dataclass(frozen=True, slots=True)
class Event:
    """An Event of the model, once for all its repetitions."""

    type: str
    reason: str
    message: str
    age: str
    count: int


async def show(dashboard: Dashboard, request: Request, identity: Identity) -> Response:
    """Shows one model."""
    namespace, name = request.path_params["namespace"], request.path_params["name"]
    result = await dashboard.reads.objects(identity, namespace, name)
    objects, now = result.objects, time.time()
    dashboard.history.open(objects.model, now)
    tree = view(objects, now, old=_OLD)
    points = dashboard.history.points(objects.model)
    happened, traffic_periods = marks(objects.model), periods(objects)
    return page(
        request,
        "model.html",
        identity,
        tree=tree,
        unknown=unknown_parts(objects.model),
        explanations=explanations(tree),
        offers=await offers(dashboard, identity, objects.model),
        decisions=await gates.offers(dashboard, identity, objects.model),
        actions=dashboard.settings.actions,
        sent=_sent(dashboard, request, identity, objects.model),
        timeline=timeline(traffic_periods, happened, now),
        periods=[
            (p, short(now - p.began), _length(p.began, p.ended, now)) for p in traffic_periods
        ],
        marks=[(m, short(now - m.time)) for m in reversed(happened[-_MARKS:])],
        weights=weights(points, now) if any(p.weight for p in points) else Markup(""),
        remembered=short(now - points[0].time) if points else "",
        checks=[
            (c, plot(dashboard.history.evaluations(objects.model, c.name), c.name))
            for c in tree.checks
        ],
        failed_at=failed_at_of(objects),
        compared=compared(objects, now),
        events=_events(objects, now),
        refused=result.refused,
        age=lambda moment: _age(moment, now),
    )


def failed_at_of(objects: Objects) -> dict[str, str]:
    """Returns, for each revision that failed, how much traffic it had then, and the step."""
    status = part(objects.model, "status")
    stored = {label(record, REVISION_LABEL): record for record in objects.records}
    names = {*stored, text(part(status, "failure"), "revision")} - {""}
    failures = {name: failure_of_revision(name, stored.get(name, {}), status) for name in names}
    return {name: failed_at(f.weight, f.step) for name, f in failures.items() if f}


def _length(began: float, ended: float | None, now: float) -> str:
    return short((now if ended is None else ended) - began)


def _age(time: str, now: float) -> str:
    moment = moment_of(time)
    return "–" if moment is None else short(max(0.0, now - moment))


def _sent(
    dashboard: Dashboard, request: Request, identity: Identity, model: Raw
) -> dict[str, str] | None:
    """Returns the command that was just sent, with the operator's answer once there is one."""
    meta, number = part(model, "metadata"), request.query_params.get("sent", "")
    sent = dashboard.sent.find(identity, text(meta, "namespace"), text(meta, "name"), number)
    if sent is None:
        return None
    command, revision = sent.command, sent.revision
    answer = answer_of(model, command, revision, sent.token)
    result = "Sent" if answer is None else "Accepted" if answer.accepted else "Ignored"
    message = "waiting for the operator's answer" if answer is None else answer.message
    return {"command": command, "revision": revision, "result": result, "message": message}


def compared(objects: Objects, now: float) -> tuple[str, str, tuple[Difference, ...]] | None:
    """Returns the two revisions that people want to compare, and the fields that differ; None
    without two stored revisions."""
    pair = usual_pair(objects.model, objects)
    if pair is None:
        return None
    before, after = (find(objects, revision) for revision in pair)
    if before is None or after is None:
        return None
    return *pair, between(objects, before, after, now)


def between(objects: Objects, before: Raw, after: Raw, now: float) -> tuple[Difference, ...]:
    """Returns the fields that differ between two stored revisions, with their pod templates."""
    entries = {entry.revision: entry for entry in history(objects, traffic_object(objects), now)}
    return differences(before, after, entries, pod=True)


def _events(objects: Objects, now: float) -> list[Event]:
    timed = []
    for raw in objects.events:
        when = text(part(raw, "series"), "lastObservedTime") or text(raw, "lastTimestamp")
        when = when or text(raw, "eventTime") or text(part(raw, "metadata"), "creationTimestamp")
        moment = moment_of(when) or 0.0
        count = number(part(raw, "series"), "count") or number(raw, "count") or 1
        words = text(raw, "message") or text(raw, "note")
        age = short(max(0.0, now - moment)) if moment else "–"
        event = Event(text(raw, "type"), text(raw, "reason"), words, age, count)
        timed.append((moment, event))
    timed.sort(key=lambda pair: -pair[0])
    return [event for _, event in timed[:_EVENTS]]
