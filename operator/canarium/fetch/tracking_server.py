"""Requests to an MLflow tracking server, over its REST API, and the meaning of its errors.

The API is a few GET requests with JSON answers; MLflow's own client would bring more packages
than all other sources of the fetcher together (decision 0035).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from canarium.fetch.credentials import StoreCredentials
from canarium.fetch.errors import FetchError
from canarium.untrusted.quoting import quoted

_API = "/api/2.0"
_TIMEOUTS = (10, 60)
_BLOCK = 1 << 20
_LARGEST_ANSWER = 16 << 20
_LARGEST_ERROR = 4096
_DENIED = frozenset({401, 403})
#: MLflow's codes for an object that does not exist; an unknown alias is an invalid parameter.
_MISSING = frozenset({"RESOURCE_DOES_NOT_EXIST", "INVALID_PARAMETER_VALUE", "ENDPOINT_NOT_FOUND"})
_WRONG_SERVER = "check that spec.model.endpoint is the address of an MLflow tracking server"


class TrackingServer:
    """The REST API of the server at `url`, with the credentials of the Secret."""

    def __init__(self, url: str, credentials: StoreCredentials) -> None:
        import requests

        self.url = url.rstrip("/")
        self._session = requests.Session()
        token = credentials.get("MLFLOW_TRACKING_TOKEN")
        user = credentials.both("MLFLOW_TRACKING_USERNAME", "MLFLOW_TRACKING_PASSWORD")
        if token:
            self._session.auth = _Bearer(token)
        elif user:
            self._session.auth = (user[0].encode(), user[1].encode())

    def get(self, path: str, what: str, /, **query: str) -> dict[str, Any]:
        """Returns the JSON object at `path` of the API; `what` names it in errors.

        Raises FetchError, or what `requests` raises if the server cannot be reached.
        """
        with self._ask(path, what, params=query) as answer:
            content = answer.raw.read(_LARGEST_ANSWER + 1, decode_content=True)
        if len(content) > _LARGEST_ANSWER:
            text = (
                f"{what}: the tracking server's answer is larger than {_LARGEST_ANSWER >> 20} MiB"
            )
            raise FetchError("SourceUnavailable", text)
        document = _object(content)
        if document is None:
            # Such as the login page of a proxy.
            text = f"{what}: {self.url} does not answer with JSON"
            raise FetchError("SourceUnavailable", text, advice=_WRONG_SERVER)
        return document

    def takes_ranges(self, path: str, what: str) -> bool:
        """Returns whether a part of the file at `path` is answered with that part alone."""
        with self._ask(path, what, headers={"Range": "bytes=0-0"}) as answer:
            return bool(answer.status_code == 206)

    def size(self, path: str, what: str) -> int | None:
        """Returns the bytes of the file at `path`, None if the answer omits them."""
        with self._ask(path, what) as answer:
            length = answer.headers.get("Content-Length", "")
        return int(length) if length.isdigit() else None

    def read(self, path: str, what: str, start: int, end: int) -> bytes:
        """Returns the bytes from `start` to `end` (exclusive) of the file at `path`."""
        with self._ask(path, what, headers={"Range": f"bytes={start}-{end - 1}"}) as answer:
            content: bytes = answer.content
        return content

    def stream(self, path: str, what: str) -> Iterator[bytes]:
        """Yields the file at `path` in blocks."""
        with self._ask(path, what) as answer:
            yield from answer.iter_content(_BLOCK)

    def _ask(self, path: str, what: str, **options: Any) -> Any:
        headers = {"Accept-Encoding": "identity", **options.pop("headers", {})}
        answer = self._session.get(
            f"{self.url}{_API}/{path}", headers=headers, timeout=_TIMEOUTS, stream=True, **options
        )
        if answer.status_code < 400:
            return answer
        with answer:
            content = answer.raw.read(_LARGEST_ERROR, decode_content=True)
        raise _refused(answer.status_code, content, what, self.url)


class _Bearer:
    """Authentication by token. As `auth` of the session, it precedes a .netrc file."""

    def __init__(self, token: str) -> None:
        self._token = token

    def __call__(self, request: Any) -> Any:
        request.headers["Authorization"] = f"Bearer {self._token}"
        return request


def _refused(status: int, content: bytes, what: str, url: str) -> FetchError:
    """Returns the meaning of an answer with an error, in MLflow's words where it has any."""
    document = _object(content) or {}
    code = str(document.get("error_code", ""))
    words = quoted(str(document.get("message") or content.decode("utf-8", "replace")), 300)
    if status in _DENIED:
        return FetchError("AccessDenied", f"{what}: HTTP {status}: {words}")
    if code in _MISSING:
        return FetchError(
            "NotFound", f"{what}: {words}", advice="correct spec.model.uri, or register it"
        )
    if status == 404 and not code:
        return FetchError(
            "NotFound", f"{what}: {url} answers HTTP 404: {words}", advice=_WRONG_SERVER
        )
    passing = status >= 500 or status in (408, 425, 429)
    return FetchError("SourceUnavailable", f"{what}: HTTP {status}: {words}", passing=passing)


def _object(content: bytes) -> dict[str, Any] | None:
    try:
        document = json.loads(content)
    except ValueError:
        return None
    return document if isinstance(document, dict) else None
