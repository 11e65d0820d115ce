"""The HTTP client for requests of the operator's own: bounded, and never where it must not go.

Users name the addresses, and the operator sits where users do not: so redirects are not followed,
proxies of the environment are not used, and an address that is the operator's own (loopback) or a
cloud's metadata service (link-local) is refused, whatever name leads there.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import ThreadedResolver

from canarium.signals.redaction import shown

#: Bytes of an answer that are read; more is an error.
LONGEST = 8 << 20


class NoAnswer(Exception):
    """A request had no usable answer; the text says why and never carries a body."""

    reason = "QueryFailed"


class Untrusted(NoAnswer):
    """The server's certificate is signed by nobody who is trusted, or is another's."""

    reason = "UntrustedCertificate"


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer and the seconds that it took."""

    status: int
    body: bytes
    seconds: float


class Web:
    """One session for all requests. `loopback` is for tests on one machine."""

    def __init__(self, *, loopback: bool = False) -> None:
        self._loopback = loopback
        self._session: aiohttp.ClientSession | None = None

    async def close(self) -> None:
        if self._session:
            await self._session.close()
            self._session = None

    async def request(
        self,
        method: str,
        url: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        query: Mapping[str, str] | None = None,
        patience: float = 10.0,
        tls: ssl.SSLContext | None = None,
    ) -> Answer:
        """Sends one request; NoAnswer when nothing, too much, or too late came back."""
        host = urlsplit(url).hostname or ""
        self._check(host, host)
        began = asyncio.get_running_loop().time()
        try:
            async with self._open().request(
                method,
                url,
                data=body,
                headers=dict(headers or {}),
                params=dict(query or {}) or None,
                allow_redirects=False,
                timeout=aiohttp.ClientTimeout(total=patience),
                ssl=tls if tls is not None else True,
            ) as response:
                content = await _read(response)
        except aiohttp.ClientConnectorCertificateError as error:
            raise Untrusted(f"its certificate is not trusted: {error.certificate_error}") from error
        except TimeoutError as error:
            raise NoAnswer(f"no answer within {patience:g}s") from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            # The client's own text may quote the whole address.
            text = str(error).replace(url, shown(url))
            raise NoAnswer(f"{type(error).__name__}: {text}") from error
        return Answer(response.status, content, asyncio.get_running_loop().time() - began)

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=64, ttl_dns_cache=10, resolver=_Guarded(self._check)
            )
            self._session = aiohttp.ClientSession(
                connector=connector,
                trust_env=False,
                headers={"User-Agent": "canarium"},
                cookie_jar=aiohttp.DummyCookieJar(),
            )
        return self._session

    def _check(self, address: str, host: str) -> None:
        try:
            found = ipaddress.ip_address(address)
        except ValueError:
            return
        refused = found.is_link_local or found.is_unspecified or found.is_multicast
        if refused or (found.is_loopback and not self._loopback):
            raise NoAnswer(f"{host} is {found}: not an address that the operator asks")


async def _read(response: aiohttp.ClientResponse) -> bytes:
    content = bytearray()
    async for chunk in response.content.iter_any():
        content += chunk
        if len(content) > LONGEST:
            raise NoAnswer(f"the answer is longer than {LONGEST >> 20} MiB")
    return bytes(content)


class _Guarded(AbstractResolver):
    """Resolves names, and refuses those that lead to a refused address."""

    def __init__(self, check: Any) -> None:
        self._inner = ThreadedResolver()
        self._check = check

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        for entry in found:
            self._check(entry["host"], host)
        return found

    async def close(self) -> None:
        await self._inner.close()
