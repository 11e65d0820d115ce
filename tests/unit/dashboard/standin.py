"""A stand-in for the API server, and a browser that speaks ASGI: for faults and for every route.

What the real API server and a real browser do is tested in tests/integration/dashboard.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode, urlsplit

from canarium.core.times import parse
from canarium.view.objects import Raw
from canarium_dashboard.access.identity import Access, Identity
from canarium_dashboard.access.token import TokenAccess
from canarium_dashboard.api import Api, ApiFault
from canarium_dashboard.app import create_app
from canarium_dashboard.settings import Settings
from view.samples import sample

TOKEN = "token-of-a-person"
HOST = "dashboard.example"


class StandInApi(Api):
    """The objects of one sample. `accepted` are the tokens; `denied` the kinds that are forbidden.

    `calls` has every request as method, path and Authorization header; `writes` those that change
    objects.
    """

    def __init__(self, name: str = "step-pause", **changes: Any) -> None:
        super().__init__("https://api.example")
        self.items, self.now = sample(name)
        self.model = next(x for x in self.items if x["kind"] == "ModelDeployment")
        self.model.update(changes)
        self.model["metadata"].setdefault("uid", "uid-1")
        self.accepted = {TOKEN}
        self.denied: set[str] = set()
        self.may_patch = True
        #: What the person may approve: all gates (""), one gate, or none.
        self.may_approve: str | None = ""
        self.unreachable = False
        self.many: list[dict[str, Any]] = []
        #: Routes by path.
        self.routes: dict[str, dict[str, Any]] = {}
        self.calls: list[tuple[str, str, str]] = []
        self.writes: list[tuple[str, Mapping[str, Any]]] = []

    async def __aenter__(self) -> Api:
        return self

    async def __aexit__(self, *_: object) -> None: ...

    def _check(self, method: str, identity: Identity, path: str) -> None:
        authorization = identity.headers.get("Authorization", "")
        self.calls.append((method, path, authorization))
        if self.unreachable:
            raise ApiFault(0, "The API server cannot be reached (test). Trying again.")
        if authorization.removeprefix("Bearer ") not in self.accepted:
            raise ApiFault(401, "Unauthorized")
        if any(path.endswith(x) for x in self.denied):
            raise ApiFault(403, f"forbidden: {path}")

    async def get(self, identity: Identity, path: str, **params: str) -> dict[str, Any]:
        self._check("GET", identity, path)
        kinds = {
            "deployments": "Deployment",
            "pods": "Pod",
            "services": "Service",
            "controllerrevisions": "ControllerRevision",
            "events": "Event",
        }
        last = path.rsplit("/", 1)[-1]
        if path in self.routes:
            return self.routes[path]
        if last == "modeldeployments":
            found = self.many or [self.model]
            return {"metadata": {"resourceVersion": "1"}, "items": found}
        if path.endswith("/modeldeployments/fraud"):
            return self.model
        if last in kinds:
            return {"items": [x for x in self.items if x["kind"] == kinds[last]]}
        if "/pods/" in path:
            found_pod = [x for x in self.items if x["metadata"]["name"] == last]
            if found_pod:
                return found_pod[0]
        if last in ("horizontalpodautoscalers", "modelruntimes", "clustermodelruntimes"):
            return {"items": []}
        if last == "namespaces":
            return {"items": [{"metadata": {"name": "demo"}}]}
        raise ApiFault(404, f"{path} not found")

    async def models(self, identity: Identity, path: str, version: list[str]) -> AsyncIterator[Raw]:
        found = await self.get(identity, path)
        for item in found["items"]:
            yield item
        version.append("1")

    async def text(self, identity: Identity, path: str, **params: str) -> str:
        self._check("GET", identity, path)
        return "<script>alert('log')</script>\n"

    async def post(self, identity: Identity, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        self._check("POST", identity, path)
        if path.endswith("selfsubjectreviews"):
            name = "system:serviceaccount:demo:ann"
            return {"status": {"userInfo": {"username": name}}}
        wanted = body["spec"]["resourceAttributes"]
        if wanted["verb"] == "approve":
            allowed = self.may_approve in ("", wanted["subresource"])
            return {"status": {"allowed": self.may_approve is not None and allowed}}
        return {"status": {"allowed": self.may_patch or wanted["verb"] != "patch"}}

    async def patch(
        self, identity: Identity, path: str, body: Mapping[str, Any], manager: str
    ) -> dict[str, Any]:
        self._check("PATCH", identity, path)
        self.writes.append((path, body))
        return self.model

    async def watch(
        self, identity: Identity, path: str, **params: str
    ) -> AsyncIterator[dict[str, Any]]:
        self._check("WATCH", identity, path)
        await asyncio.Event().wait()
        yield {}


@dataclass
class Answer:
    """A response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode()


@dataclass
class Browser:
    """Sends requests to the application, keeps cookies, and sends what browsers send."""

    app: Any
    host: str = HOST
    cookies: dict[str, str] = field(default_factory=dict)
    #: Whether an error of the application is raised after its answer.
    raises: bool = True

    async def get(self, path: str, **headers: str) -> Answer:
        return await self.send("GET", path, headers)

    async def post(self, path: str, fields: Mapping[str, str], **headers: str) -> Answer:
        origin = {"origin": f"http://{self.host}", "sec-fetch-site": "same-origin"}
        sent = {**origin, **{k.replace("_", "-"): v for k, v in headers.items()}}
        body = urlencode(fields).encode()
        kind = {"content-type": "application/x-www-form-urlencoded"}
        return await self.send("POST", path, {**kind, **sent}, body)

    async def send(
        self, method: str, path: str, headers: Mapping[str, str], body: bytes = b""
    ) -> Answer:
        url = urlsplit(path)
        cookie = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        every = {"host": self.host, **({"cookie": cookie} if cookie else {}), **headers}
        scope = {
            "type": "http",
            "asgi": {"version": "3.0"},
            "http_version": "1.1",
            "method": method,
            "path": url.path,
            "raw_path": url.path.encode(),
            "query_string": url.query.encode(),
            "root_path": "",
            "scheme": "http",
            "headers": [
                (k.replace("_", "-").encode(), v.encode("latin-1")) for k, v in every.items() if v
            ],
            "client": ("127.0.0.1", 1),
            "server": ("127.0.0.1", 80),
        }
        messages: list[dict[str, Any]] = []
        given = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def receive() -> dict[str, Any]:
            return next(given, {"type": "http.disconnect"})

        async def send(message: dict[str, Any]) -> None:
            messages.append(message)

        try:
            await self.app(scope, receive, send)
        except ValueError:
            if self.raises or not messages:
                raise
        start = messages[0]
        pairs = [(k.decode().lower(), v.decode()) for k, v in start["headers"]]
        for name, value in pairs:
            if name == "set-cookie":
                for key, morsel in SimpleCookie(value).items():
                    self.cookies[key] = morsel.value
                    if morsel["max-age"] == "0":
                        del self.cookies[key]
        content = b"".join(m.get("body", b"") for m in messages[1:])
        return Answer(start["status"], dict(pairs), content)


@asynccontextmanager
async def browsing(
    api: StandInApi | None = None,
    access: Access | None = None,
    login: bool = True,
    raises: bool = True,
    **settings: Any,
) -> AsyncIterator[Browser]:
    """A browser with a running application; logged in unless `login` is False."""
    app = create_app(Settings(**settings), access or TokenAccess(), api or StandInApi())
    async with app.router.lifespan_context(app):
        browser = Browser(app, raises=raises)
        if login:
            base = settings.get("base_path", "")
            answer = await browser.post(f"{base}/login", {"token": TOKEN, "next": "/"})
            assert answer.status == 303, answer.text
        yield browser


def copies(count: int) -> list[dict[str, Any]]:
    """That many models, in all states of the samples."""
    states = []
    for name in ("ready", "step-pause", "rolled-back", "baking", "waiting-for-pods"):
        items, _ = sample(name)
        states.append(next(x for x in items if x["kind"] == "ModelDeployment"))
    found = []
    for index in range(count):
        model = json.loads(json.dumps(states[index % len(states)]))
        meta = model["metadata"]
        meta.update(name=f"model-{index:05}", namespace=f"team-{index % 20}", uid=f"uid-{index}")
        meta["labels"] = {"tier": "gold" if index % 10 == 0 else "silver"}
        found.append(model)
    return found


def moment(text: str) -> float:
    """POSIX seconds of a time."""
    return parse(text)
