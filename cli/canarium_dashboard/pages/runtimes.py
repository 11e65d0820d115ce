"""The runtimes: who uses which, and which models run an older state of one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import Response

from canarium.api.runtime import BUILT_IN, CLUSTER, NAMESPACED
from canarium.render.runtime_catalog import RuntimeTemplate, built_in
from canarium.view.objects import MODEL_LABEL, REVISION_LABEL, Raw, label, part, text
from canarium_dashboard import paths
from canarium_dashboard.access.identity import Identity
from canarium_dashboard.api import ApiFault
from canarium_dashboard.dashboard import Dashboard
from canarium_dashboard.lines import Line
from canarium_dashboard.pages.answers import page
from canarium_dashboard.pages.scope import scope_of

#: Records are read in pages, at most this many: 10,000 records.
_PAGES = 20


@dataclass(slots=True)
class Use:
    """A runtime with the models that use it. An outdated model runs an older state of it."""

    kind: str
    namespace: str
    name: str
    description: str
    image: str
    current: list[tuple[str, str]] = field(default_factory=list)
    outdated: list[tuple[str, str]] = field(default_factory=list)


async def show(dashboard: Dashboard, request: Request, identity: Identity) -> Response:
    """Shows all runtimes that this person may see."""
    namespace = request.query_params.get("namespace", "")
    scope = await scope_of(dashboard, identity, namespace)
    names = scope.namespaces or ("",)
    problems: list[str] = []

    async def listed(path: str) -> list[Raw]:
        objects: list[Raw] = []
        more = ""
        try:
            for _ in range(_PAGES):
                selector = {"labelSelector": MODEL_LABEL} if "controllerrevisions" in path else {}
                params = {"limit": "500", **selector, **({"continue": more} if more else {})}
                answer = await dashboard.api.get(identity, path, **params)
                objects.extend(answer.get("items") or ())
                more = text(part(answer, "metadata"), "continue")
                if not more:
                    return objects
            problems.append("There are more records than this page reads; some uses are missing.")
        except ApiFault as fault:
            if fault.status == 401:
                raise
            problems.append(fault.message)
        return objects

    own = [paths.RUNTIMES if not n else paths.runtimes(n) for n in names]
    records = [paths.records(n) for n in names]
    results = await asyncio.gather(
        listed(paths.CLUSTER_RUNTIMES), *(listed(path) for path in (*own, *records))
    )
    cluster = results[0]
    namespaced = [x for group in results[1 : 1 + len(own)] for x in group]
    stored = [x for group in results[1 + len(own) :] for x in group]
    return page(
        request,
        "runtimes.html",
        identity,
        uses=uses(scope.lines, stored, namespaced, cluster),
        problems=list(dict.fromkeys(problems)),
        namespace=namespace,
    )


def uses(
    models: Iterable[Line],
    records: Iterable[Raw],
    namespaced: Iterable[Raw],
    cluster: Iterable[Raw],
) -> list[Use]:
    """Returns the runtimes with their users: those with outdated users first, then by name.

    What a model uses is in the record of its stable revision, with the digest of the runtime then.
    """
    by_key: dict[tuple[str, str, str], tuple[Use, str]] = {}
    for kind, raws in ((NAMESPACED, namespaced), (CLUSTER, cluster)):
        for raw in raws:
            meta, spec = part(raw, "metadata"), part(raw, "spec")
            _add(by_key, kind, text(meta, "namespace"), text(meta, "name"), spec)
    for name, template in built_in().items():
        _add(by_key, BUILT_IN, "", name, template.spec)
    snapshots = {
        (text(part(r, "metadata"), "namespace"), label(r, MODEL_LABEL), label(r, REVISION_LABEL)): (
            part(r, "data", "runtime")
        )
        for r in records
    }
    for model in models:
        namespace, name = model.key
        snapshot = snapshots.get((namespace, name, model.stable), {})
        kind, runtime = text(snapshot, "kind"), text(snapshot, "name")
        used = by_key.get((kind, namespace if kind == NAMESPACED else "", runtime))
        if used is None:
            continue
        use, digest = used
        same = text(snapshot, "digest") == digest
        (use.current if same else use.outdated).append((namespace, name))
    listed = [use for use, _ in by_key.values()]
    return sorted(listed, key=lambda u: (not u.outdated, not u.current, u.kind, u.name))


def _add(
    by_key: dict[tuple[str, str, str], tuple[Use, str]],
    kind: str,
    namespace: str,
    name: str,
    spec: Mapping[str, object],
) -> None:
    template = RuntimeTemplate(kind, name, spec)
    use = Use(kind, namespace, name, text(spec, "description"), text(spec, "image"))
    by_key[kind, namespace, name] = use, template.digest
