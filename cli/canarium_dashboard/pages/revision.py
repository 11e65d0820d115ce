"""A revision: digests, lineage, what it ran, its record, and what differs from another one."""

from __future__ import annotations

import json
import time
from typing import Any

import yaml
from starlette.requests import Request
from starlette.responses import Response

from canarium.audit.statement import statement
from canarium.core.facts.revision import recorded_version
from canarium.view.model import view
from canarium.view.objects import REVISION_LABEL, Objects, Raw, items, label, part, text
from canarium.view.serving import serving_periods
from canarium.view.training_run import described, training_run
from canarium_dashboard.access.identity import Identity
from canarium_dashboard.api import ApiFault
from canarium_dashboard.dashboard import Dashboard
from canarium_dashboard.pages.answers import page
from canarium_dashboard.pages.model import between, failed_at_of
from canarium_dashboard.serving import traffic_object


async def show(dashboard: Dashboard, request: Request, identity: Identity) -> Response:
    """Shows one revision of a model."""
    namespace, name = request.path_params["namespace"], request.path_params["name"]
    wanted = request.path_params["revision"]
    result = await dashboard.reads.objects(identity, namespace, name)
    objects = result.objects
    stored = {label(record, REVISION_LABEL): record for record in objects.records}
    if "ControllerRevision" in result.refused:
        raise ApiFault(403, result.refused["ControllerRevision"])
    if wanted not in stored:
        raise ApiFault(404, f"The model {name} has no stored revision {wanted}.")
    record = stored[wanted]
    now = time.time()
    tree = view(objects, now, old=100)
    revision = next((r for r in tree.revisions if r.revision == wanted), None)
    against = request.query_params.get("against", "") or text(part(record, "data"), "after")
    others = sorted(
        (r for r in stored.values() if r is not record), key=lambda r: -(r.get("revision") or 0)
    )
    return page(
        request,
        "revision.html",
        identity,
        namespace=namespace,
        name=name,
        wanted=wanted,
        revision=revision,
        version=recorded_version(part(record, "data")) or "",
        model=part(record, "data", "model"),
        resolved=text(part(record, "data", "identity"), "resolved"),
        lineage=part(record, "data", "model", "lineage"),
        training_run=described(training_run(record)),
        runtime=part(record, "data", "runtime"),
        applied=part(record, "data", "applied"),
        failed_at=failed_at_of(objects).get(wanted, ""),
        outcomes=[
            o
            for o in items(part(objects.model, "status"), "history")
            if text(o, "revision") == wanted
        ],
        pod_template=yaml.safe_dump(dict(part(record, "data", "template")), sort_keys=False),
        record=record_of(objects, record, name),
        against=against if against in stored else "",
        others=[label(r, REVISION_LABEL) for r in others],
        changes=between(objects, stored[against], record, now) if against in stored else (),
    )


def record_of(objects: Objects, record: Raw, name: str) -> str:
    """Returns the statement for audits as JSON, as `kubectl modeldeploy record` prints
    it; empty if the record is damaged."""
    history: list[Any] = list(items(part(objects.model, "status"), "history"))
    try:
        traffic_periods = serving_periods(objects.records, traffic_object(objects), history)
        body = statement(record, history, name, traffic_periods)
    except (KeyError, TypeError, ValueError, AttributeError):
        return ""
    return json.dumps(body, indent=2, ensure_ascii=False)
