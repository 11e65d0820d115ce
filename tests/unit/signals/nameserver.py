"""A name server that knows a few names and never answers for others."""

from __future__ import annotations

import asyncio
import ipaddress
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any

_HEADER = 12
_A = 1


class NameServer(asyncio.DatagramProtocol):
    """Answers for `names`, and that others do not exist, except below `silent`.

    `asked` has the requested names below `silent`.
    """

    def __init__(self, names: Mapping[str, str], silent: str) -> None:
        self._names, self._silent = names, silent
        self.asked: set[str] = set()
        self._more = asyncio.Event()
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def datagram_received(self, data: bytes, addr: Any) -> None:
        name, end = _name(data)
        if name.endswith(self._silent):
            self.asked.add(name)
            self._more.set()
            return
        assert self._transport
        self._transport.sendto(self._answer(data, name, end), addr)

    async def until(self, count: int) -> None:
        """Waits for so many different names that are not answered."""
        while len(self.asked) < count:
            self._more.clear()
            await self._more.wait()

    def _answer(self, data: bytes, name: str, end: int) -> bytes:
        address = self._names.get(name) if data[end : end + 2] == _A.to_bytes(2, "big") else None
        # A response with recursion; NXDOMAIN where the name has no address of any family.
        flags = 0x8180 if name in self._names else 0x8183
        counts = (1, int(address is not None), 0, 0)
        head = data[:2] + b"".join(number.to_bytes(2, "big") for number in (flags, *counts))
        record = b""
        if address:
            # The name by reference, type A, class IN, a lifetime of 60 seconds, four bytes.
            record = bytes.fromhex("c00c 0001 0001 0000003c 0004")
            record += ipaddress.ip_address(address).packed
        return head + data[_HEADER : end + 4] + record


def _name(data: bytes) -> tuple[str, int]:
    """The name that is asked for, and where it ends."""
    labels, at = [], _HEADER
    while length := data[at]:
        labels.append(data[at + 1 : at + 1 + length].decode().lower())
        at += 1 + length
    return ".".join(labels), at + 1


@asynccontextmanager
async def serving(names: Mapping[str, str], silent: str) -> AsyncIterator[NameServer]:
    """Listens where resolv.conf can name it: at loopback's port 53."""
    transport, made = await asyncio.get_running_loop().create_datagram_endpoint(
        lambda: NameServer(names, silent), ("127.0.0.1", 53)
    )
    try:
        yield made
    finally:
        transport.close()
