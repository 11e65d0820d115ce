"""One end of a pair of pipes that carries many TCP connections. Standard library only.

Both ends have this code: the outer one opens connections, the one in the cluster connects to their
targets. Run as a script, it is the end in the cluster, on its stdin and stdout.

A frame is the number of a connection, a kind, the length of a payload, and the payload. A failure
of one connection is a separate frame (RESET) and never affects another connection.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import socket
import struct
import sys
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

READY, OPEN, DATA, END, RESET = range(5)
_HEADER = struct.Struct("!IBI")
_CHUNK = 64 * 1024
#: Bytes that may wait for a connection whose other side does not read: then it is reset, since
#: the pipe must not wait for one of many.
_MOST_WAITING = 64 << 20
_CONNECT_WITHIN = 10.0


@dataclass
class _Connection:
    """What the other end has sent for a connection and is not yet written."""

    frames: asyncio.Queue[tuple[int, bytes]] = field(default_factory=asyncio.Queue)
    waiting: int = 0

    def put(self, kind: int, payload: bytes) -> None:
        self.waiting += len(payload)
        if self.waiting > _MOST_WAITING:
            kind, payload = RESET, b""
        self.frames.put_nowait((kind, payload))

    async def get(self) -> tuple[int, bytes]:
        kind, payload = await self.frames.get()
        self.waiting -= len(payload)
        return kind, payload


class End:
    """Frames from `reader` to connections, and from connections to `writer`."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._connections: dict[int, _Connection] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._numbers = itertools.count(1)
        self._sending = asyncio.Lock()
        self.ready = asyncio.Event()

    async def greet(self) -> None:
        """Sets `ready` at the other end."""
        await self._send(0, READY)

    async def run(self) -> None:
        """Takes frames until the other end ends, and then resets every connection."""
        with contextlib.suppress(asyncio.IncompleteReadError, OSError):
            while True:
                number, kind, length = _HEADER.unpack(await self._reader.readexactly(_HEADER.size))
                self._take(number, kind, await self._reader.readexactly(length))
        for connection in self._connections.values():
            connection.put(RESET, b"")
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def serve(self, listening: socket.socket, host: str, port: int) -> asyncio.Server:
        """Accepts at `listening`; each connection leads to `host:port` of the other end."""

        async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            number = next(self._numbers)
            connection = self._connections[number] = _Connection()
            await self._send(number, OPEN, f"{host}:{port}".encode())
            await self._carry(number, connection, reader, writer)

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._start(carry(reader, writer))

        return await asyncio.start_server(accept, sock=listening, backlog=1024)

    def _take(self, number: int, kind: int, payload: bytes) -> None:
        if kind == READY:
            self.ready.set()
        elif kind == OPEN:
            connection = self._connections[number] = _Connection()
            self._start(self._connect(number, connection, payload.decode()))
        elif number in self._connections:
            self._connections[number].put(kind, payload)

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, number: int, connection: _Connection, target: str) -> None:
        host, port = target.rsplit(":", 1)
        try:
            async with asyncio.timeout(_CONNECT_WITHIN):
                reader, writer = await asyncio.open_connection(host, int(port))
        except OSError:
            del self._connections[number]
            await self._send(number, RESET)
            return
        await self._carry(number, connection, reader, writer)

    async def _carry(
        self,
        number: int,
        connection: _Connection,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        """Carries both directions until both have ended, or one of them fails."""
        both = [
            asyncio.create_task(self._outwards(number, reader)),
            asyncio.create_task(_inwards(connection, writer)),
        ]
        done, pending = await asyncio.wait(both, return_when=asyncio.FIRST_EXCEPTION)
        for task in pending:
            task.cancel()
        del self._connections[number]
        # Each is asked for, or asyncio would report it as never retrieved.
        failures = [task.exception() for task in done]
        if any(failures):
            _reset(writer)
            await self._send(number, RESET)
            return
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()

    async def _outwards(self, number: int, reader: asyncio.StreamReader) -> None:
        while chunk := await reader.read(_CHUNK):
            await self._send(number, DATA, chunk)
        await self._send(number, END)

    async def _send(self, number: int, kind: int, payload: bytes = b"") -> None:
        # When the other end ends, `run` ends and with it every connection.
        with contextlib.suppress(OSError):
            async with self._sending:
                self._writer.write(_HEADER.pack(number, kind, len(payload)) + payload)
                await self._writer.drain()


async def _inwards(connection: _Connection, writer: asyncio.StreamWriter) -> None:
    """Writes what arrives for a connection. Raises OSError when either side was reset."""
    while True:
        kind, payload = await connection.get()
        if kind == RESET:
            raise ConnectionResetError
        if kind == END:
            writer.write_eof()
            return
        writer.write(payload)
        await writer.drain()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Ends a connection such that its other side sees a failure, not the end of an answer."""
    at_once = struct.pack("ii", 1, 0)
    with contextlib.suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
    writer.transport.abort()


async def main() -> None:
    """The end in the cluster, until its stdin ends."""
    loop = asyncio.get_running_loop()
    reader = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin.buffer)
    transport, protocol = await loop.connect_write_pipe(
        asyncio.streams.FlowControlMixin, sys.stdout.buffer
    )
    end = End(reader, asyncio.StreamWriter(transport, protocol, None, loop))
    await end.greet()
    await end.run()


if __name__ == "__main__":
    asyncio.run(main())
