"""The login, the logout, and the address with a key that `kubectl modeldeploy dashboard` prints."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from canarium_dashboard.access.identity import is_token
from canarium_dashboard.access.local import LocalAccess
from canarium_dashboard.access.sessions import delete_cookie, set_cookie
from canarium_dashboard.access.token import COOKIE, TokenAccess, of_token
from canarium_dashboard.api import ApiFault
from canarium_dashboard.dashboard import Dashboard
from canarium_dashboard.pages.answers import forgery_page, page
from canarium_dashboard.security import Forgery, form

Endpoint = Callable[[Request], Awaitable[Response]]


async def show(request: Request) -> Response:
    """Shows the login form."""
    dashboard: Dashboard = request.app.state.dashboard
    if not isinstance(dashboard.access, TokenAccess):
        return RedirectResponse(f"{dashboard.settings.base_path}/", 303)
    target = inside(request.query_params.get("next", ""))
    # Not from the address, which anyone can write: the browser has a session that has ended.
    expired = COOKIE in request.cookies and dashboard.access.identify(request) is None
    return page(request, "login.html", None, target=target, expired=expired, error="")


async def enter(request: Request) -> Response:
    """Begins a session if the API server accepts the token."""
    dashboard: Dashboard = request.app.state.dashboard
    access = dashboard.access
    if not isinstance(access, TokenAccess):
        return RedirectResponse(f"{dashboard.settings.base_path}/", 303)
    try:
        fields = await form(request)
    except Forgery as error:
        return forgery_page(request, None, error)
    token, target = fields.get("token", "").strip(), inside(fields.get("next", ""))
    problem = "" if is_token(token) else "This is not a token. Paste it without quotes or spaces."
    if not problem:
        try:
            await dashboard.reads.user(of_token(token))
        except ApiFault as fault:
            # A token without the right to a SelfSubjectReview is valid all the same.
            if fault.status == 401:
                problem = "The API server does not accept this token. It may have expired."
            elif fault.status != 403:
                problem = fault.message
    if problem:
        values = {"target": target, "expired": False, "error": problem}
        return page(request, "login.html", None, 401, **values)
    # A new name for every login, so that one that was set before is worth nothing.
    access.sessions.end(request.cookies.get(COOKIE, ""))
    answer = RedirectResponse(dashboard.settings.base_path + target, 303)
    set_cookie(request, answer, COOKIE, access.sessions.begin(token))
    return answer


async def leave(request: Request) -> Response:
    """Ends the session."""
    dashboard: Dashboard = request.app.state.dashboard
    access = dashboard.access
    identity = access.identify(request)
    try:
        fields = await form(request)
        if identity and not dashboard.csrf.check(identity, fields.get("csrf", "")):
            raise Forgery("The form is out of date.")
    except Forgery as error:
        return forgery_page(request, identity, error)
    answer = RedirectResponse(f"{dashboard.settings.base_path}/login", 303)
    if isinstance(access, TokenAccess):
        access.sessions.end(request.cookies.get(COOKIE, ""))
        delete_cookie(request, answer, COOKIE)
    return answer


def with_key(fleet: Endpoint) -> Endpoint:
    """Gives the start page a redirect that replaces the key of the address by a cookie."""

    async def entrance(request: Request) -> Response:
        dashboard: Dashboard = request.app.state.dashboard
        access = dashboard.access
        if not isinstance(access, LocalAccess) or not access.admits(request):
            return await fleet(request)
        answer = RedirectResponse(f"{dashboard.settings.base_path}/", 303)
        set_cookie(request, answer, access.cookie, access.session)
        return answer

    return entrance


def inside(target: str) -> str:
    """Returns a path of this site; `/` for anything that a browser could take for another site."""
    good = target.startswith("/") and not target.startswith("//") and "\\" not in target
    return target if good and all(" " <= x <= "~" for x in target) else "/"
