"""Server-sent events: they notify the browser of a change, and it reads the page again.

Only a number is sent, so that there is one place that makes pages, and one that escapes.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse

from canarium_dashboard import paths
from canarium_dashboard.access.identity import Identity
from canarium_dashboard.api import ApiFault
from canarium_dashboard.dashboard import Dashboard
from canarium_dashboard.feeds import Feed
from canarium_dashboard.pages.scope import scope_of

#: Streams of one identity, and of all.
LIMIT_EACH, LIMIT_ALL = 32, 1_000
#: Seconds between two checks of the number, and at most until pods of a model are shown again.
_INTERVAL, _PODS = 0.5, 5.0
#: Seconds after which the browser has to connect again, with a login that still holds.
_LONGEST = 600.0

_open: Counter[str] = Counter()


async def fleet(dashboard: Dashboard, request: Request, identity: Identity) -> Response:
    """Streams the changes of the models that the page shows."""
    scope = await scope_of(dashboard, identity, request.query_params.get("namespace", ""))
    return _stream(dashboard, request, identity, scope.feeds, None)


async def model(dashboard: Dashboard, request: Request, identity: Identity) -> Response:
    """Streams the changes of one model, and now and then those of its pods."""
    namespace, name = request.path_params["namespace"], request.path_params["name"]
    feed = dashboard.feeds.of(identity, paths.models(namespace), name)
    await feed.ready()
    return _stream(dashboard, request, identity, (feed,), _PODS)


def _stream(
    dashboard: Dashboard,
    request: Request,
    identity: Identity,
    feeds: tuple[Feed, ...],
    at_most: float | None,
) -> Response:
    if _open[identity.key] >= LIMIT_EACH or _open.total() >= LIMIT_ALL:
        wait = {"retry-after": "10"}
        return PlainTextResponse("Too many open pages. Close some.\n", 429, wait)
    headers = {"x-accel-buffering": "no", "cache-control": "no-store"}
    valid = lambda: dashboard.access.identify(request) == identity  # noqa: E731
    events = _events(dashboard, identity, feeds, at_most, valid)
    return StreamingResponse(events, media_type="text/event-stream", headers=headers)


async def _events(
    dashboard: Dashboard,
    identity: Identity,
    feeds: tuple[Feed, ...],
    at_most: float | None,
    valid: Callable[[], bool],
) -> AsyncIterator[str]:
    _open[identity.key] += 1
    for feed in feeds:
        feed.listeners += 1
    try:
        begun = wrote = sent = time.monotonic()
        announced = sum(feed.generation for feed in feeds)
        yield "retry: 2000\n\n"
        while time.monotonic() - begun < _LONGEST:
            await asyncio.sleep(_INTERVAL)
            now = time.monotonic()
            fault = next((f.fault for f in feeds if f.fault), None)
            if not valid() or (isinstance(fault, ApiFault) and fault.status == 401):
                yield "event: login\ndata: 1\n\n"
                return
            if any(feed.ended for feed in feeds):
                # It was ended for the sake of others: the browser connects again.
                return
            current = sum(feed.generation for feed in feeds)
            if current != announced or (at_most and now - sent >= at_most):
                announced, wrote, sent = current, now, now
                yield f"event: change\ndata: {current}\n\n"
            elif now - wrote >= dashboard.settings.heartbeat:
                wrote = now
                yield ": still here\n\n"
    finally:
        _open[identity.key] -= 1
        if not _open[identity.key]:
            del _open[identity.key]
        for feed in feeds:
            feed.listeners -= 1
