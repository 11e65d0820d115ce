"""H6: what a gRPC server without manners can cost: bytes, memory and time are bounded."""

from __future__ import annotations

import asyncio
import resource
import struct
import tracemalloc
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from hpack import Encoder

from canarium.api.reasons import ConnectionLoss
from canarium.signals import grpc_health
from canarium.signals.errors import NoAnswer, Unreachable

#: Bytes that a server tries to send in one test; far above every bound.
FLOOD = 64 << 20
Speak = Callable[[asyncio.StreamWriter], Awaitable[None]]
DATA, HEADERS, RST, SETTINGS, PING, GOAWAY, CONTINUATION = 0, 1, 3, 4, 6, 7, 9
END_STREAM, END_HEADERS = 1, 4
HEAD = [(":status", "200"), ("content-type", "application/grpc+proto")]


def frame(kind: int, flags: int, stream: int, content: bytes) -> bytes:
    return struct.pack(">I", len(content))[1:] + bytes([kind, flags]) + struct.pack(
        ">I", stream
    ) + content  # fmt: skip


def head() -> bytes:
    return frame(HEADERS, END_HEADERS, 1, Encoder().encode(HEAD))


async def flood(writer: asyncio.StreamWriter, block: bytes) -> None:
    for _ in range(FLOOD // len(block)):
        writer.write(block)
        await writer.drain()


async def endless_message(writer: asyncio.StreamWriter) -> None:
    writer.write(head() + frame(DATA, 0, 1, b"\0\xff\xff\xff\xff"))
    await flood(writer, frame(DATA, 0, 1, b"x" * 16384))


async def endless_headers(writer: asyncio.StreamWriter) -> None:
    literal = b"\x00\x7f" + b"\x81\x7e" + b"n" * 256
    writer.write(frame(HEADERS, 0, 1, literal))
    await flood(writer, frame(CONTINUATION, 0, 1, b"v" * 16384))


async def endless_continuation(writer: asyncio.StreamWriter) -> None:
    writer.write(frame(HEADERS, 0, 1, Encoder().encode(HEAD)))
    await flood(writer, frame(CONTINUATION, 0, 1, b"") * 512)


async def endless_informational_headers(writer: asyncio.StreamWriter) -> None:
    # 40 bytes name a header of 4,000 over and over.
    encoder = Encoder()
    writer.write(frame(HEADERS, END_HEADERS, 1, encoder.encode([(":status", "103")])))
    big = encoder.encode([(":status", "103"), ("x", "y" * 4000)])
    writer.write(frame(HEADERS, END_HEADERS, 1, big))
    again = encoder.encode([(":status", "103")] + [("x", "y" * 4000)] * 15)
    await flood(writer, frame(HEADERS, END_HEADERS, 1, again) * 16)


async def endless_trailers(writer: asyncio.StreamWriter) -> None:
    writer.write(head() + frame(DATA, 0, 1, b"\0\0\0\0\x02\x08\x01"))
    writer.write(frame(HEADERS, END_STREAM, 1, b""))
    await flood(writer, frame(CONTINUATION, 0, 1, b"\x00\x01a\x7f\x81\x7e" + b"v" * 16000))


async def endless_settings(writer: asyncio.StreamWriter) -> None:
    await flood(writer, frame(SETTINGS, 0, 0, b"\0\3\0\0\0\x64" * 100))


async def endless_pings(writer: asyncio.StreamWriter) -> None:
    await flood(writer, frame(PING, 0, 0, b"12345678") * 256)


@asynccontextmanager
async def server(speak: Speak) -> AsyncIterator[int]:
    connections: set[asyncio.Task[None]] = set()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task: asyncio.Task[None] | None = asyncio.current_task()
        assert task
        connections.add(task)
        try:
            await reader.read(100)
            writer.write(frame(SETTINGS, 0, 0, b""))
            await speak(writer)
            await reader.read()
        except (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    made = await asyncio.start_server(answer, "127.0.0.1", 0)
    try:
        yield made.sockets[0].getsockname()[1]
    finally:
        made.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections)


ENDLESS = [
    endless_message, endless_headers, endless_continuation, endless_informational_headers,
    endless_trailers, endless_settings, endless_pings,
]  # fmt: skip


#: tracemalloc takes a second for each, so that the quick loop has the first one only.
@pytest.mark.rule("R31")
@pytest.mark.parametrize(
    "speak",
    [ENDLESS[0], *(pytest.param(speak, marks=pytest.mark.slow) for speak in ENDLESS[1:])],
    ids=lambda f: f.__name__,
)
async def test_memory_stays_bounded_for_any_response(speak: Speak) -> None:  # H6
    async with server(speak) as port:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        tracemalloc.start()
        try:
            with pytest.raises(NoAnswer) as caught:
                await grpc_health.check("127.0.0.1", port, "", 60.0)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert not isinstance(caught.value, Unreachable)
    assert str(caught.value) in (
        "the answer is longer than 64 KiB",
        "the answer is not valid HTTP/2",
    )
    assert peak < 4 << 20, f"{peak >> 10} KiB at most"
    assert grown < 16 << 10, f"resident memory grew by {grown} KiB"


async def test_silent_server_is_abandoned_in_time() -> None:
    async def silent(writer: asyncio.StreamWriter) -> None:
        writer.write(head())
        await writer.drain()

    async with server(silent) as port:
        with pytest.raises(NoAnswer, match=r"no answer within 0\.2s"):
            await grpc_health.check("127.0.0.1", port, "", 0.2)


async def test_message_of_a_grpc_error_is_quoted() -> None:  # H8
    trailers = [*HEAD, ("grpc-status", "5"), ("grpc-message", "a%0A2026 ERROR forged %1B[31m")]

    async def fails(writer: asyncio.StreamWriter) -> None:
        writer.write(frame(HEADERS, END_HEADERS | END_STREAM, 1, Encoder().encode(trailers)))
        await writer.drain()

    async with server(fails) as port:
        with pytest.raises(NoAnswer) as caught:
            await grpc_health.check("127.0.0.1", port, "", 5.0)
    assert str(caught.value) == r"gRPC NOT_FOUND: a\n2026 ERROR forged \x1b[31m"


@pytest.mark.parametrize("closes", [True, False])
async def test_http_1_server_fails_the_version(closes: bool) -> None:
    ended = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(100)
        writer.write(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        if not closes:
            with suppress(OSError):
                await reader.read()
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()
        ended.set()

    made = await asyncio.start_server(answer, "127.0.0.1", 0)
    with pytest.raises(NoAnswer, match="HTTP/1") as caught:
        await grpc_health.check("127.0.0.1", made.sockets[0].getsockname()[1], "", 30.0)
    await ended.wait()
    made.close()
    assert not isinstance(caught.value, Unreachable)


async def hung_up(writer: asyncio.StreamWriter) -> None:
    writer.transport.abort()


async def going_away(writer: asyncio.StreamWriter) -> None:
    writer.write(frame(GOAWAY, 0, 0, b"\0\0\0\0\0\0\0\0"))
    await writer.drain()


async def refused_stream(writer: asyncio.StreamWriter) -> None:
    writer.write(frame(RST, 0, 1, b"\0\0\0\7"))
    await writer.drain()


@pytest.mark.parametrize("speak", [hung_up, going_away, refused_stream], ids=lambda f: f.__name__)
async def test_connection_that_ends_before_the_answer_is_lost(speak: Speak) -> None:  # G2
    async with server(speak) as port:
        with pytest.raises(Unreachable) as caught:
            await grpc_health.check("127.0.0.1", port, "", 5.0)
    assert caught.value.loss is ConnectionLoss.RESET


async def test_reset_of_the_request_is_an_answer() -> None:
    async def internal_error(writer: asyncio.StreamWriter) -> None:
        writer.write(frame(RST, 0, 1, b"\0\0\0\2"))
        await writer.drain()

    async with server(internal_error) as port:
        with pytest.raises(NoAnswer, match="HTTP/2 error 2") as caught:
            await grpc_health.check("127.0.0.1", port, "", 5.0)
    assert not isinstance(caught.value, Unreachable)
