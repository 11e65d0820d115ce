"""Responses: pages from templates, explained faults of the API server, and the login."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from canarium import VERSION
from canarium_dashboard.access.identity import Identity
from canarium_dashboard.api import ApiFault
from canarium_dashboard.dashboard import Dashboard
from canarium_dashboard.security import Forgery

Handler = Callable[[Dashboard, Request, Identity], Awaitable[Response]]


def page(
    request: Request, template: str, identity: Identity | None, status: int = 200, **values: Any
) -> Response:
    """Returns a page."""
    dashboard: Dashboard = request.app.state.dashboard
    token = dashboard.csrf.token(identity) if identity else ""
    text = dashboard.templates.get_template(template).render(
        base=dashboard.settings.base_path,
        path=request.url.path,
        identity=identity,
        user=dashboard.name_of(identity) if identity else "",
        has_login=dashboard.access.has_login,
        csrf=token,
        product=VERSION,
        **values,
    )
    return HTMLResponse(text, status)


#: Title and advice for what the API server answered.
_FAULTS = {
    0: ("The API server cannot be reached", "This page tries again by itself."),
    403: ("Not permitted", "Ask an administrator of the cluster for the right, then reload."),
    404: (
        "Not found",
        "Check the namespace and the name. If no model is found at all, install Canarium's CRDs.",
    ),
    409: ("Changed meanwhile", "Go back, reload the page and try again."),
    413: ("Too many models", "Add a namespace to the address: ?namespace=NAME."),
    422: ("Rejected", "The API server or an admission policy rejects the change."),
    501: (
        "The versions do not fit",
        "Upgrade the older one: the dashboard, or the operator with its CRDs. "
        "`kubectl modeldeploy version` shows all versions.",
    ),
}


def fault_page(request: Request, identity: Identity, fault: ApiFault) -> Response:
    """Returns the page for a fault of the API server."""
    title, advice = _FAULTS.get(fault.status, ("The API server answered with an error", ""))
    status = fault.status if fault.status in _FAULTS and fault.status else 503
    return page(
        request,
        "problem.html",
        identity,
        status,
        title=title,
        message=fault.message,
        advice=advice,
        again=status == 503 and request.method == "GET",
    )


def here(request: Request) -> str:
    """Returns the path and query of a request, below the base path."""
    base: str = request.app.state.settings.base_path
    query = request.url.query
    return request.url.path.removeprefix(base) + (f"?{query}" if query else "")


def to_login(request: Request, expired: bool = False, back: str = "") -> Response:
    """Returns what a person without a login sees: the login, or how to get in.

    After the login the browser returns to `back`, which is the page that was asked for.
    """
    dashboard: Dashboard = request.app.state.dashboard
    if request.method == "GET" and request.headers.get("sec-fetch-site") == "cross-site":
        # The browser sends no cookie on the way from another site: let it ask again from here.
        return page(request, "again.html", None, 401)
    if dashboard.access.has_login:
        # A command has a page at its path, which asks for the confirmation again.
        again = request.method == "GET" or "command" in request.path_params
        target = back or (here(request) if again else "/")
        words = urlencode({"next": target})
        return RedirectResponse(f"{dashboard.settings.base_path}/login?{words}", 303)
    return page(request, "denied.html", None, 401, expired=expired)


def identified(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Gives a handler the identity of the person; without one, nothing is read or written.

    Faults of the API server and forged forms become pages.
    """

    @functools.wraps(handler)
    async def wrapper(request: Request) -> Response:
        dashboard: Dashboard = request.app.state.dashboard
        identity = dashboard.access.identify(request)
        if identity is None:
            return to_login(request)
        try:
            return await handler(dashboard, request, identity)
        except Forgery as error:
            return forgery_page(request, identity, error)
        except ApiFault as fault:
            if fault.status == 401:
                dashboard.forget(identity)
                return to_login(request, expired=True)
            return fault_page(request, identity, fault)

    return wrapper


def forgery_page(request: Request, identity: Identity | None, error: Forgery) -> Response:
    """Returns the page for a write that is refused."""
    return page(
        request,
        "problem.html",
        identity,
        403,
        title="Refused",
        message=str(error),
        advice="Nothing was changed. Go back, reload the page and try again.",
        again=False,
    )
