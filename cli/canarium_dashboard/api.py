"""Requests to the API server, each with the headers of the person who asked."""

from __future__ import annotations

import json
import ssl
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import aiohttp
from multidict import CIMultiDict

from canarium import API_VERSION, GROUP, VERSION
from canarium.tls import without_formalities
from canarium.view.objects import Raw, items, text
from canarium.view.table import reader
from canarium_dashboard.access.identity import Identity
from canarium_dashboard.table_parser import TableParser

#: A larger answer to one request is refused; lists of models are read as streams.
MAX_BYTES = 64 * 2**20
#: Bytes of a list that are parsed at once, between two turns of the event loop.
_CHUNK = 256 * 1024
#: A list as the table that `kubectl get` prints.
_TABLE = "application/json;as=Table;v=v1;g=meta.k8s.io"
#: Only the connection itself is limited to 5 s: the wait for a free one of the pool is not.
_TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=5)
_WATCH_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=5, sock_read=90)
#: Connections for reads. Each costs a handshake, and the API server has few processors.
_CONNECTIONS = 32
#: What the API server answers at a path of an API that it does not have.
_NOT_SERVED = "the server could not find the requested resource"
#: The group of our API; versions of it are below it.
_GROUP = f"/apis/{GROUP}"
_OURS = f"{_GROUP}/"


class ApiFault(Exception):
    """The API server answered with an error, or not at all (`status` 0)."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status, self.message = status, message


class Skew(ApiFault):
    """The API server and this dashboard are of versions that do not fit. No retry changes that."""

    def __init__(self, message: str) -> None:
        super().__init__(501, f"{message} This dashboard is of version {VERSION}.")


class Api:
    """A connection to one API server: by address, or through the Unix socket of `kubectl proxy`."""

    def __init__(self, url: str, *, ca: Path | None = None, socket: Path | None = None) -> None:
        self._url = url.rstrip("/")
        self._ca, self._socket = ca, socket
        self._reads: aiohttp.ClientSession | None = None
        self._watches: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Api:
        self._reads = self._connected(_CONNECTIONS)
        # Watches have a separate pool: feeds bound their number, and reads never wait for
        # the end of one.
        self._watches = self._connected(0)
        return self

    def _connected(self, limit: int) -> aiohttp.ClientSession:
        connector: aiohttp.BaseConnector
        if self._socket:
            connector = aiohttp.UnixConnector(str(self._socket), limit=limit)
        else:
            connector = aiohttp.TCPConnector(ssl=trusting(self._ca), limit=limit)
        # The API server compresses large answers, which costs more time than it saves nearby.
        # No cookies: nothing that was answered to one person is sent for another.
        return aiohttp.ClientSession(
            connector=connector,
            cookie_jar=aiohttp.DummyCookieJar(),
            headers={"Accept-Encoding": "identity", "User-Agent": "canarium-dashboard"},
        )

    async def __aexit__(self, *_: object) -> None:
        for session in (self._reads, self._watches):
            if session:
                await session.close()

    async def get(self, identity: Identity, path: str, **params: str) -> dict[str, Any]:
        """Returns the object or list at `path`. Raises ApiFault."""
        return _object(await self._call("GET", identity, path, params))

    async def text(self, identity: Identity, path: str, **params: str) -> str:
        """Returns the text at `path`, such as a log. Raises ApiFault."""
        return (await self._call("GET", identity, path, params)).decode(errors="replace")

    async def post(self, identity: Identity, path: str, body: Mapping[str, Any]) -> dict[str, Any]:
        """Creates an object, such as a review, and returns it. Raises ApiFault."""
        return _object(await self._call("POST", identity, path, {}, body, "application/json"))

    async def patch(
        self, identity: Identity, path: str, body: Mapping[str, Any], manager: str
    ) -> dict[str, Any]:
        """Merges `body` into an object and returns it. Raises ApiFault."""
        kind, params = "application/merge-patch+json", {"fieldManager": manager}
        return _object(await self._call("PATCH", identity, path, params, body, kind))

    async def models(self, identity: Identity, path: str, version: list[str]) -> AsyncIterator[Raw]:
        """Yields what a line needs of each model at `path` while the answer arrives, so that it is
        never in memory as a whole, and appends its resourceVersion to `version` in the end.

        Raises ApiFault.
        """
        assert self._reads
        # From the cache of the API server, which is faster than etcd; a watch brings the rest.
        query = {"resourceVersion": "0", "includeObject": "None"}
        headers = _headers(identity)
        headers["Accept"] = _TABLE
        try:
            async with self._reads.get(
                self._url + path,
                params=query,
                headers=headers,
                timeout=_TIMEOUT,
                allow_redirects=False,
            ) as answer:
                if answer.status != 200:
                    fault = _fault(answer.status, await answer.content.read(65_536))
                    raise await self._unserved(identity, path, fault)
                parser, model = TableParser(), None
                async for chunk in answer.content.iter_chunked(_CHUNK):
                    for row in parser.feed(chunk):
                        model = model or reader(parser.definitions())
                        yield model(row.get("cells") or ())
                version.append(parser.version())
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiFault(0, _unreachable(error)) from error
        except LookupError as error:
            raise Skew(f"The CRDs of the cluster are of another version ({error}).") from error
        except ValueError as error:
            raise ApiFault(0, "The API server did not answer with a table.") from error

    async def watch(
        self, identity: Identity, path: str, **params: str
    ) -> AsyncIterator[dict[str, Any]]:
        """Yields the events of a watch until the API server ends it. Raises ApiFault."""
        assert self._watches
        query = {"watch": "true", "allowWatchBookmarks": "true", **params}
        try:
            async with self._watches.get(
                self._url + path,
                params=query,
                headers=_headers(identity),
                timeout=_WATCH_TIMEOUT,
                allow_redirects=False,
            ) as answer:
                if answer.status != 200:
                    raise _fault(answer.status, await answer.content.read(65_536))
                buffer = b""
                async for chunk in answer.content.iter_any():
                    *lines, buffer = (buffer + chunk).split(b"\n")
                    for line in lines:
                        if line.strip():
                            yield _object(line)
                    if len(buffer) > MAX_BYTES:
                        raise ApiFault(0, "The API server sent an event that is too large.")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiFault(0, _unreachable(error)) from error

    async def _call(
        self,
        method: str,
        identity: Identity,
        path: str,
        params: Mapping[str, str],
        body: Mapping[str, Any] | None = None,
        kind: str = "",
    ) -> bytes:
        assert self._reads
        headers = _headers(identity)
        if kind:
            headers["Content-Type"] = kind
        try:
            async with self._reads.request(
                method,
                self._url + path,
                params=params,
                data=json.dumps(body) if body is not None else None,
                headers=headers,
                timeout=_TIMEOUT,
                allow_redirects=False,
            ) as answer:
                if answer.status >= 300:
                    fault = _fault(answer.status, await answer.content.read(65_536))
                    raise await self._unserved(identity, path, fault)
                parts, size = [], 0
                async for chunk in answer.content.iter_any():
                    parts.append(chunk)
                    size += len(chunk)
                    if size > MAX_BYTES:
                        raise ApiFault(0, "The answer of the API server is too large.")
                return b"".join(parts)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise ApiFault(0, _unreachable(error)) from error

    async def _unserved(self, identity: Identity, path: str, fault: ApiFault) -> ApiFault:
        """Returns the fault of a request; where the API server has only other versions of our API,
        the skew that it shows."""
        if fault.status != 404 or fault.message != _NOT_SERVED or not path.startswith(_OURS):
            return fault
        group = await self.get(identity, _GROUP)
        versions = [text(one, "version") for one in items(group, "versions")]
        if not versions or API_VERSION.partition("/")[2] in versions:
            return fault
        served = ", ".join(f"{GROUP}/{version}" for version in versions)
        return Skew(f"The CRDs of the cluster have {served}, but not {API_VERSION}.")


def trusting(ca: Path | None) -> ssl.SSLContext:
    """Returns the trust in an authority, by default those of this machine."""
    return without_formalities(ssl.create_default_context(cafile=str(ca) if ca else None))


def _headers(identity: Identity) -> CIMultiDict[str]:
    lines = ((k, v) for k, text in identity.headers.items() for v in text.split("\n"))
    return CIMultiDict(lines)


def _object(raw: bytes) -> dict[str, Any]:
    try:
        parsed = json.loads(raw)
    except ValueError as error:
        raise ApiFault(0, "The API server did not answer with JSON.") from error
    if not isinstance(parsed, dict):
        raise ApiFault(0, "The API server did not answer with an object.")
    return parsed


def _fault(status: int, raw: bytes) -> ApiFault:
    try:
        message = str(json.loads(raw).get("message") or "")
    except (ValueError, AttributeError):
        message = ""
    return ApiFault(status, message[:2_000] or f"The API server answered with status {status}.")


def _unreachable(error: BaseException) -> str:
    return f"The API server cannot be reached ({type(error).__name__}). Trying again."
