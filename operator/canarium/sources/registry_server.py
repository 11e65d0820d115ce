"""Requests to a registry on behalf of one namespace, and what its errors mean."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import urljoin, urlsplit

from canarium.api.reasons import SpecReason
from canarium.signals.access import NamespaceAccess
from canarium.signals.endpoint import Endpoint
from canarium.signals.errors import NoAnswer
from canarium.signals.http_client import Response
from canarium.signals.redaction import shown
from canarium.sources.errors import Unresolved
from canarium.sources.rate_limits import retry_after
from canarium.untrusted.quoting import quoted

#: Maximum bytes of an answer that is parsed on the event loop.
LONGEST = 256 << 10
_DENIED = frozenset({401, 403})
_MOVED = frozenset({301, 302, 307, 308})
#: Number of redirects that one request follows.
_MOST_MOVES = 3
_PORTS = {"http": 80, "https": 443}


class RegistryServer:
    """The server at `endpoint`, asked within the share of a namespace; `proxy` returns the proxy
    for a URL."""

    def __init__(
        self,
        web: NamespaceAccess,
        endpoint: Endpoint,
        proxy: Callable[[str], str | None] | None = None,
    ) -> None:
        self.web, self.endpoint = web, endpoint
        self._proxy = proxy or (lambda url: None)

    @property
    def host(self) -> str:
        """Host and port of its address."""
        return urlsplit(self.endpoint.url).netloc

    def __str__(self) -> str:
        return str(self.endpoint)

    async def ask(
        self,
        method: str,
        path: str,
        what: str,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        longest: int | None = None,
        url: str | None = None,
    ) -> Response:
        """Returns the answer for `path` of the server, or for another `url`, which then gets none
        of its headers; `what` names it in errors. Raises Unresolved without an answer."""
        server = self.endpoint
        own = server.headers if url is None else {}
        url = url or server.url.rstrip("/") + path
        try:
            return await self.web.request(
                method,
                url,
                body=body,
                headers={**own, **(headers or {})},
                query=query,
                patience=server.patience,
                tls=server.tls,
                longest=longest,
                proxy=self._proxy(url),
            )
        except NoAnswer as error:
            raise Unresolved(SpecReason.SOURCE_UNAVAILABLE, f"{what}: {error}") from error

    async def follow(
        self,
        method: str,
        path: str,
        what: str,
        *,
        headers: Mapping[str, str],
        longest: int | None = None,
    ) -> tuple[Response, str]:
        """Returns the answer for `path`, and the URL that gave it, after redirects within the
        server. `headers` are sent each time, so another server is not followed to, but named.

        Raises Unresolved.
        """
        url = self.endpoint.url.rstrip("/") + path
        answer = await self.ask(method, path, what, headers=headers, longest=longest)
        for _ in range(_MOST_MOVES):
            location = answer.headers.get("Location")
            if answer.status not in _MOVED or not location:
                break
            url = _within(url, location, what)
            sent = {**self.endpoint.headers, **headers}
            answer = await self.ask(method, "", what, headers=sent, longest=longest, url=url)
        return answer, url

    def moved(self, path: str, answer: Response) -> str | None:
        """Returns the path of this server to which it redirects `path`; None without one. Other
        hosts are not followed: they would get the credentials."""
        location = answer.headers.get("Location")
        if answer.status not in _MOVED or not location:
            return None
        base = self.endpoint.url.rstrip("/")
        try:
            target = urljoin(base + path, location)
        except ValueError:
            return None
        return target.removeprefix(base) if target.startswith(f"{base}/") else None

    def refusal(
        self, answer: Response, what: str, *, missing: bool = False, quotes: bool = True
    ) -> Unresolved:
        """Returns the error for an answer with another status than 200, with the words of its body
        if it `quotes` them; `missing`: the body reports that there is no such object."""
        # Not only the registry's own errors: its check of host names and proxies answer with text.
        words = _words(answer.body) if quotes else ""
        for secret in self.endpoint.secrets:
            words = words.replace(secret, "[hidden]") if secret else words
        text = f"{what}: HTTP {answer.status} {quoted(words, 200)}".rstrip()
        if answer.status in _DENIED:
            return Unresolved(SpecReason.SOURCE_ACCESS_DENIED, text)
        if answer.status == 404 or missing:
            return Unresolved(SpecReason.SOURCE_NOT_FOUND, text)
        wait = retry_after(answer.headers.get("Retry-After")) if answer.status == 429 else None
        return Unresolved(SpecReason.SOURCE_UNAVAILABLE, text, wait)


def _within(url: str, location: str, what: str) -> str:
    """Returns the address of a redirect from `url`, if the same server is there. Raises Unresolved.

    From http:// to https:// at the same port, or at the usual ports, it still is.
    """
    try:
        target = urljoin(url, location)
        old, new = _server(url), _server(target)
    except ValueError as error:
        text = f"{what}: redirects to an address that is not valid"
        raise Unresolved(SpecReason.SOURCE_UNAVAILABLE, text) from error
    secured = (old[0], new[0]) == ("http", "https")
    upwards = secured and (old[2] == new[2] or (old[2], new[2]) == (80, 443))
    if old == new or (old[1] == new[1] and upwards):
        return target
    text = f"{what}: redirects to {quoted(shown(target), 260)}"
    if (old[0], new[0]) == ("https", "http"):
        text += ", which has no TLS: credentials are not sent there"
    else:
        text += "; name that registry in the URI or in spec.model.endpoint"
    raise Unresolved(SpecReason.SOURCE_UNAVAILABLE, text)


def _server(url: str) -> tuple[str, str, int]:
    """Returns scheme, host and port of a URL. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname or parts.username is not None:
        raise ValueError("not an address of a server")
    return parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme]


def parsed_object(content: bytes, longest: int = LONGEST) -> dict[str, Any] | None:
    """Returns the JSON object in `content`; None if it is none, or larger than `longest` bytes."""
    if len(content) > longest:
        return None
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None


def unparsed(what: str, longest: int = LONGEST) -> Unresolved:
    """Returns the error for an answer that is not a JSON object, such as the login page of a
    proxy."""
    text = f"{what}: the answer is not JSON, or is larger than {longest >> 10} KiB"
    return Unresolved(SpecReason.SOURCE_UNAVAILABLE, text)


def _words(content: bytes) -> str:
    """Returns the message of an error, by MLflow, the hub and OCI registries; else its text."""
    body = parsed_object(content) or {}
    errors = body.get("errors")
    first = errors[0] if isinstance(errors, list) and errors else None
    listed = first.get("message") if isinstance(first, dict) else None
    for words in (body.get("message"), body.get("error"), listed):
        if isinstance(words, str) and words:
            return words[:LONGEST]
    return content[:LONGEST].decode("utf-8", "replace")
