"""The forwarder's inside: connections are carried whole, past half-closed ones."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from sandbox import forwarder
from tcp import ask, reversing


@pytest_asyncio.fixture
async def echo() -> AsyncIterator[int]:
    async with reversing() as port:
        yield port


async def carried_to(port: int) -> tuple[asyncio.Server, int]:
    listening = socket.create_server(("127.0.0.1", 0))
    outer: int = listening.getsockname()[1]
    return await forwarder._serve(listening, "127.0.0.1", port), outer


async def test_carries_many_at_once_past_a_half_close(echo: int) -> None:
    server, port = await carried_to(echo)
    big = bytes(range(256)) * 4000
    answers = await asyncio.gather(*(ask(port, big) for _ in range(50)))
    assert set(answers) == {big[::-1]}
    server.close()


async def test_control_client_gets_a_port_for_as_long_as_it_stays(echo: int) -> None:
    ours, theirs = socket.socketpair(socket.AF_UNIX)
    for end in (ours, theirs):
        end.setblocking(False)
    task = asyncio.create_task(forwarder._obey(theirs, forwarder._serve))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
        socket.send_fds(ours, [f"127.0.0.1:{echo}\n".encode()], [listening.fileno()])
    loop = asyncio.get_running_loop()
    assert await loop.sock_recv(ours, 16) == b"ok\n"
    assert await ask(port, b"abc") == b"cba"
    ours.close()
    await asyncio.wait_for(task, 5)
    with pytest.raises(ConnectionError):
        await ask(port, b"abc")
