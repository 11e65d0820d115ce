"""The application: its routes and its life."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from canarium import VERSION
from canarium_dashboard.access.identity import Access, Identity
from canarium_dashboard.api import Api
from canarium_dashboard.dashboard import Dashboard
from canarium_dashboard.pages import (
    commands,
    fleet,
    gates,
    login,
    logs,
    model,
    revision,
    runtimes,
    streams,
)
from canarium_dashboard.pages.answers import Handler, identified
from canarium_dashboard.security import Guard
from canarium_dashboard.settings import Settings

_FILES = StaticFiles(directory=Path(__file__).parent / "static")


class _Application(Starlette):
    """Starlette within the guard: its own middleware would not protect its answers to errors."""

    def build_middleware_stack(self) -> ASGIApp:
        settings: Settings = self.state.settings
        return Guard(super().build_middleware_stack(), settings.hosts)


def create_app(settings: Settings, access: Access, api: Api) -> Starlette:
    """Returns the application. It connects to the API server when it is started."""
    dashboard = Dashboard(settings, access, api)

    @contextlib.asynccontextmanager
    async def life(app: Starlette) -> AsyncIterator[None]:
        async with api:
            tidying = asyncio.create_task(dashboard.feeds.tidy())
            try:
                yield
            finally:
                tidying.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await tidying
                await dashboard.feeds.stop()

    app = _Application(routes=routes(settings.base_path), lifespan=life)
    app.state.dashboard = dashboard
    app.state.settings = settings
    return app


def routes(base: str) -> list[Route]:
    """Returns the routes below the base path, and the health probe.

    Only the probe, the login and the static files are served without an identity.
    """
    one = f"{base}/models/{{namespace}}/{{name}}"
    listed = [
        Route("/healthz", _healthy, methods=["GET"]),
        Route(f"{base}/login", login.show, methods=["GET"]),
        Route(f"{base}/login", login.enter, methods=["POST"]),
        Route(f"{base}/static/{{path:path}}", _static, methods=["GET"]),
        Route(f"{base}/logout", login.leave, methods=["POST"]),
        Route(f"{base}/", login.with_key(_page(fleet.show)), methods=["GET"]),
        Route(f"{base}/stream", _page(streams.fleet), methods=["GET"]),
        Route(f"{base}/runtimes", _page(runtimes.show), methods=["GET"]),
        Route(one, _page(model.show), methods=["GET"]),
        Route(f"{one}/stream", _page(streams.model), methods=["GET"]),
        Route(f"{one}/revisions/{{revision}}", _page(revision.show), methods=["GET"]),
        Route(f"{one}/pods/{{pod}}/log", _page(logs.show), methods=["GET"]),
        Route(f"{one}/commands/{{command}}", _page(commands.confirm), methods=["GET"]),
        Route(f"{one}/commands/{{command}}", identified(commands.give), methods=["POST"]),
        Route(f"{one}/gates/{{gate}}/{{command}}", _page(gates.confirm), methods=["GET"]),
        Route(f"{one}/gates/{{gate}}/{{command}}", identified(gates.give), methods=["POST"]),
    ]
    if base:
        listed.append(Route(base, _slash, methods=["GET"]))
    return listed


def _page(handler: Handler) -> Callable[[Request], Awaitable[Response]]:
    """Lets a page show the user name, which the API server knows."""

    async def named(dashboard: Dashboard, request: Request, identity: Identity) -> Response:
        await dashboard.learn_name(identity)
        return await handler(dashboard, request, identity)

    return identified(named)


async def _healthy(request: Request) -> Response:
    return PlainTextResponse("ok\n")


async def _slash(request: Request) -> Response:
    return RedirectResponse(f"{request.app.state.settings.base_path}/", 308)


async def _static(request: Request) -> Response:
    """A file of the package; pages name the version, so browsers may keep it."""
    answer = await _FILES.get_response(request.path_params["path"], request.scope)
    if request.query_params.get("v") == VERSION:
        answer.headers["cache-control"] = "public, max-age=86400"
    return answer
