"""Sockets that connect only where an AddressPolicy allows, for every address of a name.

Tenants choose the names, and the name servers of these need not answer. getaddrinfo() would hold a
thread for each such name, and the loop has few threads, so c-ares resolves them all on one socket
(decision 0030).
"""

from __future__ import annotations

import errno
import socket
from typing import Any

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.resolver import AsyncResolver

from canarium.signals.addresses import AddressPolicy, parse

#: Seconds until a name server is asked again, and how often one is asked; the second time waits
#: twice as long. This bounds a lookup whose request was cancelled long ago.
_TIMEOUT, _TRIES = 2.0, 2


class Refusal(OSError):
    """The policy refuses an address; an OSError, as socket libraries expect."""

    def __init__(self, host: str, kind: str) -> None:
        super().__init__(errno.EACCES, kind)
        self.host, self.kind = host, kind


def connector(policy: AddressPolicy) -> aiohttp.TCPConnector:
    """Returns a connector whose every socket is checked against `policy`."""
    resolver = _Resolver(policy)
    # `NamespaceAccess` bounds each namespace: with one bound for all, slow servers would take
    # them all.
    return aiohttp.TCPConnector(
        limit=0, ttl_dns_cache=10, resolver=resolver, socket_factory=resolver.socket
    )


class _Resolver(AbstractResolver):
    """Resolves names, and refuses those of which any address is refused.

    `socket` checks again what is connected to. Addresses of hosts that an administrator allowed by
    name pass: they are remembered from their resolution.
    """

    def __init__(self, policy: AddressPolicy) -> None:
        #: Made by the first name: pods are asked by address.
        self._names: AsyncResolver | None = None
        self._policy = policy
        self._trusted: set[str] = set()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self._names = self._names or AsyncResolver(timeout=_TIMEOUT, tries=_TRIES)
        entries = await self._names.resolve(host, port, family)
        if self._policy.allows_host(host):
            self._trusted.update(entry["host"] for entry in entries)
            return entries
        for entry in entries:
            self._check(entry["host"], host)
        return entries

    def socket(self, address: Any) -> socket.socket:
        family, kind, protocol, _, where = address
        if where[0] not in self._trusted:
            self._check(str(where[0]), str(where[0]))
        return socket.socket(family=family, type=kind, proto=protocol)

    def _check(self, address: str, host: str) -> None:
        parsed = parse(address)
        refusal = self._policy.refusal(parsed) if parsed else "not an address"
        if refusal:
            raise Refusal(host, refusal)

    async def close(self) -> None:
        if self._names:
            await self._names.close()
