"""Models behind plain HTTP(S): one file, or the tree that a server's index pages list."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

from canarium.api.uri import Address
from canarium.fetch.credentials import StoreCredentials
from canarium.fetch.errors import FetchError, classified
from canarium.fetch.paths import safe
from canarium.fetch.source import SourceFile, archive_of

_BLOCK = 1 << 20
_MOST = 100_000
_IDENTITY = {"Accept-Encoding": "identity"}


class Web:
    """A URL. Ranges are used only if the server supports them."""

    def __init__(self, system: Any, url: str, *, unpack: bool) -> None:
        self._system, self._url, self._unpack = system, url, unpack
        self.ranges = False

    def entries(self) -> list[SourceFile]:
        try:
            info = self._system.info(self._url)
        except FileNotFoundError as error:
            # Some servers know a folder only with its slash. fsspec reports "not found" for
            # everything, so the cause decides whether to try with the slash.
            if classified(error, self._url).reason != "NotFound" or "?" in self._url:
                raise
            info = self._system.info(f"{self._url}/")
        if info.get("mimetype") == "text/html":
            return self._tree(str(info.get("url") or info["name"]))
        self.ranges = info.get("size") is not None and self._takes_ranges(self._url)
        name = safe(unquote(urlsplit(self._url).path).rsplit("/", 1)[-1] or "model")
        return [self._entry(name, info, archive_of(name) if self._unpack else None)]

    def _tree(self, url: str) -> list[SourceFile]:
        """Yields every file that index pages list below `url`."""
        root = url.split("?")[0].rstrip("/") + "/"
        pending: list[str] = [root]
        files: list[str] = []
        seen = {root}
        while pending:
            page = pending.pop()
            if self._hidden(page):
                raise FetchError(
                    "NotFound",
                    f"{page} answers with a web page, its index.html, and no list of its files",
                    advice="have the server list that folder, or fetch an archive",
                )
            for link in self._system.ls(page, detail=False):
                clean = link.split("?")[0].split("#")[0].replace("/./", "/")
                if clean in seen or not clean.startswith(root):
                    continue
                seen.add(clean)
                (pending if clean.endswith("/") else files).append(clean)
                if len(seen) > _MOST:
                    raise FetchError("UnsafePath", f"{url} lists more than {_MOST} files")
        if not files:
            text = f"{self._url} answers with a web page that lists no file below it"
            raise FetchError("NotFound", text)
        self.ranges = self._takes_ranges(files[0])
        return [
            self._entry(safe(unquote(file.removeprefix(root))), self._system.info(file), None)
            for file in sorted(files)
        ]

    def _hidden(self, page: str) -> bool:
        """Returns whether a folder's page is a file of the folder, and so no list of the others."""
        file = f"{page}index.html"
        if not self._system.exists(file):
            return False
        return bool(self._system.cat_file(file) == self._system.cat_file(page))

    def _takes_ranges(self, url: str) -> bool:
        """Returns whether the server answers a part with that part alone."""
        from fsspec.asyn import sync

        async def request() -> bool:
            session = await self._system.set_session()
            headers = {**self._system.kwargs.get("headers", {}), **_IDENTITY, "Range": "bytes=0-0"}
            async with session.get(self._system.encode_url(url), headers=headers) as answer:
                return bool(answer.status == 206)

        return bool(sync(self._system.loop, request))

    def _entry(self, path: str, info: dict[str, Any], archive: str | None) -> SourceFile:
        ident = info.get("ETag") or info.get("Last-Modified") or ""
        return SourceFile(path, str(info["name"]), info.get("size"), str(ident), None, archive)

    def read(self, entry: SourceFile, start: int, end: int) -> bytes:
        content: bytes = self._system.cat_file(entry.where, start=start, end=end)
        return content

    def stream(self, entry: SourceFile) -> Iterator[bytes]:
        with self._system.open(entry.where, "rb", block_size=0, size=entry.size or 1) as source:
            while block := source.read(_BLOCK):
                yield block


def web(address: Address, credentials: StoreCredentials, *, unpack: bool) -> Web:
    from aiohttp import ClientTimeout
    from fsspec.implementations.http import HTTPFileSystem

    headers = dict(_IDENTITY)
    token, user = credentials.get("token"), credentials.both("username", "password")
    if token:
        headers["Authorization"] = f"Bearer {token}"
    elif user:
        encoded = base64.b64encode(":".join(user).encode()).decode()
        headers["Authorization"] = f"Basic {encoded}"
    path, mark, query = address.path.partition("?")
    url = urlunsplit((address.scheme, address.place, f"/{path}", query if mark else "", ""))
    system = HTTPFileSystem(
        headers=headers,
        client_kwargs={
            "timeout": ClientTimeout(total=None, sock_connect=10, sock_read=60),
            # Proxies, as every other library here reads them from the environment.
            "trust_env": True,
        },
        skip_instance_cache=True,
    )
    return Web(system, url, unpack=unpack)
