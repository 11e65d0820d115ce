"""Requests to an MLflow tracking server on behalf of one namespace, and what its errors mean."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from canarium.api.reasons import SpecReason
from canarium.signals.access import NamespaceAccess
from canarium.signals.endpoint import Endpoint
from canarium.signals.errors import NoAnswer
from canarium.sources.errors import Unresolved
from canarium.untrusted.quoting import quoted

API = "/api/2.0/mlflow/"
#: Maximum bytes of an answer that is parsed on the event loop.
LONGEST = 256 << 10
_DENIED = frozenset({401, 403})
#: MLflow's codes for an object that does not exist; an unknown alias is an invalid parameter.
_MISSING = frozenset({"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE"})


class TrackingServer:
    """The server at `endpoint`, asked within the share of a namespace."""

    def __init__(self, web: NamespaceAccess, endpoint: Endpoint) -> None:
        self.web, self._endpoint = web, endpoint

    @property
    def host(self) -> str:
        """Host and port of its address."""
        return urlsplit(self._endpoint.url).netloc

    def __str__(self) -> str:
        return str(self._endpoint)

    async def get(self, path: str, what: str, /, **query: str) -> dict[str, Any]:
        """Returns the JSON object at `path` of the API, of at most `LONGEST` bytes; `what` names
        it in errors. Raises Unresolved."""
        body = parsed_object(await self.read(API + path, what, query=query))
        if body is None:  # Such as the login page of a proxy.
            text = f"{what}: the answer is not JSON, or is larger than {LONGEST >> 10} KiB"
            raise Unresolved(SpecReason.SOURCE_UNAVAILABLE, text)
        return body

    async def post(self, path: str, what: str, /, **fields: str) -> None:
        """Sends `fields` to `path` of the API. Raises Unresolved."""
        await self.read(API + path, what, method="POST", body=json.dumps(fields).encode())

    async def read(
        self,
        path: str,
        what: str,
        *,
        query: Mapping[str, str] | None = None,
        method: str = "GET",
        body: bytes | None = None,
    ) -> bytes:
        """Returns the bytes at `path` of the server. Raises Unresolved."""
        server = self._endpoint
        kind = {"Content-Type": "application/json"} if body is not None else {}
        try:
            answer = await self.web.request(
                method,
                server.url.rstrip("/") + path,
                body=body,
                headers={**server.headers, **kind},
                query=query,
                patience=server.patience,
                tls=server.tls,
            )
        except NoAnswer as error:
            raise Unresolved(SpecReason.SOURCE_UNAVAILABLE, f"{what}: {error}") from error
        if answer.status != 200:
            raise self._refusal(answer.status, answer.body, what)
        return answer.body

    def _refusal(self, status: int, content: bytes, what: str) -> Unresolved:
        body = parsed_object(content) or {}
        # Not only MLflow's own errors: its check of host names and proxies answer with plain text.
        plain = content[:LONGEST].decode("utf-8", "replace")
        words = str(body.get("message") or plain)[:LONGEST]
        for secret in self._endpoint.secrets:
            words = words.replace(secret, "[hidden]") if secret else words
        text = f"{what}: HTTP {status} {quoted(words, 200)}".rstrip()
        if status in _DENIED:
            return Unresolved(SpecReason.SOURCE_ACCESS_DENIED, text)
        if status == 404 or body.get("error_code") in _MISSING:
            return Unresolved(SpecReason.SOURCE_NOT_FOUND, text)
        return Unresolved(SpecReason.SOURCE_UNAVAILABLE, text)


def parsed_object(content: bytes) -> dict[str, Any] | None:
    """Returns the JSON object in `content`; None if it is none, or too large."""
    if len(content) > LONGEST:
        return None
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError):
        return None
    return parsed if isinstance(parsed, dict) else None
