"""The fleet: a line per model, those that need attention first; all filters are in the address."""

from __future__ import annotations

import time
from collections import Counter
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import Response

from canarium.view.fleet import Row, order
from canarium_dashboard.access.identity import Identity
from canarium_dashboard.dashboard import Dashboard
from canarium_dashboard.pages.answers import page
from canarium_dashboard.pages.scope import scope_of
from canarium_dashboard.selector import matcher


async def show(dashboard: Dashboard, request: Request, identity: Identity) -> Response:
    """Shows the models that the filters of the address select."""
    query = request.query_params
    namespace, search = query.get("namespace", ""), query.get("q", "").strip()
    phases, attention = query.getlist("phase"), query.get("attention") == "1"
    selector = query.get("selector", "").strip()
    scope = await scope_of(dashboard, identity, namespace)
    problem, now = "", time.time()
    lines = scope.lines
    try:
        matches = matcher(selector)
        lines = [line for line in lines if matches(line.labels)]
    except ValueError as error:
        problem = f"The label selector is ignored: {error}."
    total, counts = len(lines), Counter(line.row.phase for line in lines)
    urgent = sum(line.row.urgency.needs_attention for line in lines)
    wanted = search.lower().split()
    lines = [line for line in lines if _selected(line.row, wanted, phases, attention)]
    lines.sort(key=lambda line: order(line.row))
    size = dashboard.settings.page_size
    pages = max(1, -(-len(lines) // size))
    number = min(max(1, _number(query.get("page", "1"))), pages)

    def link(**changes: str) -> str:
        words = [(k, v) for k, v in query.multi_items() if k not in changes and k != "page"]
        words += [(k, v) for k, v in changes.items() if v]
        return f"?{urlencode(words)}"

    return page(
        request,
        "fleet.html",
        identity,
        # Only what is shown needs ages and remaining times of this moment.
        rows=[line.at(now) for line in lines[(number - 1) * size : number * size]],
        total=total,
        matching=len(lines),
        urgent=urgent,
        counts=sorted(counts.items()),
        phases=phases,
        attention=attention,
        search=search,
        selector=selector,
        namespace=namespace,
        limited=scope.limited,
        namespaces=scope.namespaces,
        namespaces_listed=sorted({line.row.namespace for line in scope.lines}),
        problem=problem,
        fault=scope.fault,
        number=number,
        pages=pages,
        link=link,
        generation=scope.generation,
        query=urlencode(query.multi_items()),
    )


def _selected(line: Row, wanted: list[str], phases: list[str], attention: bool) -> bool:
    if attention and not line.urgency.needs_attention:
        return False
    if phases and line.phase not in phases:
        return False
    words = f"{line.namespace}/{line.name} {line.version} {line.candidate}".lower()
    return all(word in words for word in wanted)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and len(text) < 7 else 1
