"""What protects every response and every write: headers, Host, Origin, and CSRF tokens."""

from __future__ import annotations

import hmac
import secrets
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from canarium_dashboard.access.identity import Identity

#: Longest body of a form: a token of 16 KiB, with its escapes.
MAX_FORM = 64 * 1024

HEADERS = {
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}


class Guard:
    """Middleware that refuses unknown hosts and adds the security headers to every response.

    A page of another site that resolves its own name to this address (DNS rebinding) uses that
    name as Host, so it gets nothing.
    """

    def __init__(self, app: ASGIApp, hosts: frozenset[str] = frozenset()) -> None:
        self._app, self._hosts = app, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        request = Request(scope)

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers[name] = value
                if "cache-control" not in headers:
                    headers["cache-control"] = "no-store"
                if request.url.scheme == "https":
                    headers["strict-transport-security"] = "max-age=31536000"
            await send(message)

        if self._hosts and request.url.path != "/healthz" and not self._is_known(request):
            answer = PlainTextResponse(
                "This host name is not served here. Use the address that the dashboard printed, "
                "or add the name to its allowed hosts.\n",
                421,
            )
            await answer(scope, receive, guarded)
            return
        await self._app(scope, receive, guarded)

    def _is_known(self, request: Request) -> bool:
        hosts = request.headers.getlist("host")
        return len(hosts) == 1 and _hostname(hosts[0]) in self._hosts


def _hostname(host: str) -> str:
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


class Forgery(Exception):
    """A write that did not come from a page of the dashboard. `str()` is the reason."""


def is_same_origin(request: Request) -> bool:
    """Whether a page of this site sent the request.

    Every current browser sends Origin with a POST. One without it is refused, like one from
    another site. Behind a proxy that changes Host, the allowed hosts are the names that count.
    """
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return False
    origins = request.headers.getlist("origin")
    if len(origins) != 1:
        return False
    try:
        origin = urlsplit(origins[0])
    except ValueError:
        return False
    if origin.scheme not in ("http", "https") or not origin.netloc:
        return False
    if origin.netloc.lower() == request.headers.get("host", "").lower():
        return True
    return (origin.hostname or "").lower() in request.app.state.settings.hosts - _LOOPBACK


_LOOPBACK = frozenset(("localhost", "127.0.0.1", "::1"))


class Csrf:
    """CSRF tokens: a digest of the identity, with a key of this process."""

    def __init__(self) -> None:
        self._key = secrets.token_bytes(32)

    def token(self, identity: Identity) -> str:
        """Returns the token that forms of this identity contain."""
        return hmac.new(self._key, identity.key.encode(), "sha256").hexdigest()

    def check(self, identity: Identity, submitted: str) -> bool:
        """Whether a form contained the token of this identity."""
        return hmac.compare_digest(self.token(identity).encode(), submitted.encode())


async def form(request: Request) -> dict[str, str]:
    """Returns the fields of a submitted form, the last of each name.

    Raises Forgery when it does not come from this site, or is not a form.
    """
    if not is_same_origin(request):
        raise Forgery("The request did not come from a page of this dashboard.")
    kind = request.headers.get("content-type", "").split(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise Forgery("The request is not a form of this dashboard.")
    raw = b""
    async for chunk in request.stream():
        raw += chunk
        if len(raw) > MAX_FORM:
            raise Forgery("The form is too large.")
    try:
        fields = parse_qs(raw.decode(), keep_blank_values=True, max_num_fields=20)
    except ValueError as error:
        raise Forgery("The form is not valid.") from error
    return {name: values[-1] for name, values in fields.items()}
