"""Carries TCP connections from the host's loopback into a sandbox's network namespace.

Run as a script; standard library only. It listens before it enters the namespace and connects
after, and a socket belongs to the namespace that it was made in: so no route, no address and no
packet of the sandbox ever shows on the host.

Usage: forwarder.py PID CONTROL PORT=HOST:PORT…

CONTROL is a unix socket: a client sends a listening socket with the line `HOST:PORT`; it is served
for as long as the client keeps the connection open.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import resource
import signal
import socket
import struct
import sys
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path

_CLONE_NEWNET = 0x40000000
_CHUNK = 64 * 1024


async def _serve(listening: socket.socket, host: str, port: int) -> asyncio.Server:
    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            inner_reader, inner_writer = await asyncio.open_connection(host, port)
        except OSError:
            # A reset is closest to "refused" for a client whose connection was already accepted.
            _reset(writer)
            return
        await asyncio.gather(_pump(reader, inner_writer), _pump(inner_reader, writer))
        for end in (writer, inner_writer):
            end.close()
            with contextlib.suppress(OSError):
                await end.wait_closed()

    return await asyncio.start_server(carry, sock=listening, backlog=1024)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Copies until the end and closes that direction; the other direction continues."""
    try:
        while chunk := await reader.read(_CHUNK):
            writer.write(chunk)
            await writer.drain()
        writer.write_eof()
    except OSError:
        _reset(writer)


def _reset(writer: asyncio.StreamWriter) -> None:
    """Ends a connection such that its other end sees a failure, not the end of an answer."""
    at_once = struct.pack("ii", 1, 0)
    with contextlib.suppress(OSError):
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, at_once)
    writer.transport.abort()


Serve = Callable[[socket.socket, str, int], Awaitable[asyncio.Server]]


async def obey(control: socket.socket, serve: Serve) -> None:
    """Serves indefinitely the listening sockets that clients of `control` send."""
    tasks: set[asyncio.Task[None]] = set()
    while True:
        client, _ = await asyncio.get_running_loop().sock_accept(control)
        client.setblocking(False)
        task = asyncio.create_task(_obey(client, serve))
        tasks.add(task)
        task.add_done_callback(tasks.discard)


async def _obey(client: socket.socket, serve: Serve) -> None:
    """Serves the socket that one control client sends, until the client disconnects."""
    loop = asyncio.get_running_loop()
    readable = asyncio.Event()
    loop.add_reader(client, readable.set)
    await readable.wait()
    loop.remove_reader(client)
    order, handles, _, _ = socket.recv_fds(client, 256, 1)
    if not handles:
        client.close()
        return
    host, port = order.decode().strip().rsplit(":", 1)
    server = await serve(socket.socket(fileno=handles[0]), host, int(port))
    await loop.sock_sendall(client, b"ok\n")
    with contextlib.suppress(OSError):
        await loop.sock_recv(client, 1)
    server.close()
    client.close()


async def _run(control: socket.socket, fixed: Iterable[tuple[socket.socket, str, int]]) -> None:
    # Kept, since a server that nothing refers to is closed.
    servers = [await _serve(*entry) for entry in fixed]
    await obey(control, _serve)
    del servers


def listen(control_path: Path) -> socket.socket:
    """Returns the listening unix socket `control_path`, in the place of an earlier one."""
    control_path.unlink(missing_ok=True)
    control = socket.socket(socket.AF_UNIX)
    # A unix socket's path may have 107 bytes at most, so it is bound by its name alone.
    os.chdir(control_path.parent)
    control.bind(control_path.name)
    control.listen(64)
    control.setblocking(False)
    return control


def main(pid: int, control_path: Path, orders: list[str]) -> None:
    """Listens, enters the network namespace of the process `pid`, and serves until killed."""
    fixed = []
    for order in orders:
        port, target = order.split("=", 1)
        host, inner = target.rsplit(":", 1)
        fixed.append(
            (socket.create_server(("127.0.0.1", int(port)), backlog=1024), host, int(inner))
        )
    control = listen(control_path)
    namespace = os.open(f"/proc/{pid}/ns/net", os.O_RDONLY)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace, _CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "setns")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    asyncio.run(_run(control, fixed))


if __name__ == "__main__":
    main(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3:])
