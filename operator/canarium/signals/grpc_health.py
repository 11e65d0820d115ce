"""Sends one gRPC health check over HTTP/2, with bounds on bytes, headers and time.

A gRPC library keeps a message in memory until it is complete, and its announced length is the
server's to choose. The answer to this question has two bytes, so all that a server sends on the
connection, frames and headers included, is bounded instead: `LONGEST` covers endless messages,
headers, CONTINUATION frames, trailers, settings and pings alike.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from urllib.parse import unquote

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.errors import ErrorCodes
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    Event,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)
from h2.exceptions import ProtocolError

from canarium.api.reasons import ConnectionLoss
from canarium.signals.addresses import authority
from canarium.signals.errors import NoAnswer, Unreachable
from canarium.untrusted.quoting import quoted

#: Bytes that are read from a server in all; its answer is about 100.
LONGEST = 64 << 10
_PIECE = 4 << 10
_PATH = "/grpc.health.v1.Health/Check"
_STATES = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}
_CODES = (
    "OK", "CANCELLED", "UNKNOWN", "INVALID_ARGUMENT", "DEADLINE_EXCEEDED", "NOT_FOUND",
    "ALREADY_EXISTS", "PERMISSION_DENIED", "RESOURCE_EXHAUSTED", "FAILED_PRECONDITION", "ABORTED",
    "OUT_OF_RANGE", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS", "UNAUTHENTICATED",
)  # fmt: skip


@dataclass
class _Reply:
    """The part of the response that has arrived."""

    headers: dict[bytes, bytes] = field(default_factory=dict)
    body: bytes = b""
    began: bool = False
    ended: bool = False


async def check(host: str, port: int, service: str, patience: float) -> str:
    """Returns the state that the server reports for `service` ("" is the server).

    Raises NoAnswer; Unreachable when the connection failed before an answer began.
    """
    request = _request(service)
    reply = _Reply()
    connected = False
    try:
        async with asyncio.timeout(patience), _connected(host, port) as (reader, writer):
            connected = True
            await _ask(reader, writer, authority(host, port), request, reply)
    except TimeoutError as error:
        if not connected:
            raise Unreachable(
                f"no connection within {patience:g}s", ConnectionLoss.TIMED_OUT
            ) from error
        raise NoAnswer(f"no answer within {patience:g}s") from error
    except ConnectionRefusedError as error:
        raise Unreachable("the connection was refused", ConnectionLoss.REFUSED) from error
    except (OSError, EOFError) as error:
        if reply.began:
            raise NoAnswer("the answer broke off") from error
        loss = ConnectionLoss.RESET if connected else ConnectionLoss.NO_ROUTE
        raise Unreachable("the connection was lost before an answer began", loss) from error
    except (ProtocolError, ValueError, LookupError) as error:
        raise NoAnswer("the answer is not valid HTTP/2") from error
    return _health(reply)


@asynccontextmanager
async def _connected(
    host: str, port: int
) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    # The stream stops reading from the socket when twice the limit is in its buffer.
    reader, writer = await asyncio.open_connection(host, port, limit=_PIECE)
    try:
        yield reader, writer
    finally:
        # Not closed in turn: a peer that does not read would keep what was written in memory.
        writer.transport.abort()


async def _ask(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    name: str,
    request: bytes,
    reply: _Reply,
) -> None:
    http = H2Connection(H2Configuration(client_side=True, header_encoding=False))
    http.initiate_connection()
    http.send_headers(
        1,
        [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", _PATH),
            (":authority", name),
            ("te", "trailers"),
            ("content-type", "application/grpc+proto"),
            ("user-agent", "canarium"),
        ],
    )
    # A gRPC message: not compressed, its length in four bytes, its bytes.
    http.send_data(1, b"\0" + len(request).to_bytes(4, "big") + request, end_stream=True)
    received = 0
    while not reply.ended:
        writer.write(http.data_to_send())
        await writer.drain()
        piece = await reader.read(_PIECE)
        if not piece:
            raise EOFError
        if not received and piece.startswith(b"HTTP/1"[: len(piece)]):
            raise NoAnswer("the server speaks HTTP/1, not gRPC")
        received += len(piece)
        if received > LONGEST:
            raise NoAnswer(f"the answer is longer than {LONGEST >> 10} KiB")
        for event in http.receive_data(piece):
            _take(reply, event)


def _take(reply: _Reply, event: Event) -> None:
    if isinstance(event, ResponseReceived | TrailersReceived):
        reply.began = True
        reply.headers.update((bytes(k), bytes(v)) for k, v in event.headers or ())
    elif isinstance(event, DataReceived):
        reply.body += event.data or b""
    elif isinstance(event, StreamEnded):
        reply.ended = True
    elif isinstance(event, StreamReset) and event.error_code != ErrorCodes.REFUSED_STREAM:
        raise NoAnswer(f"the server reset the request: HTTP/2 error {int(event.error_code or 0)}")
    elif isinstance(event, StreamReset | ConnectionTerminated) and not reply.ended:
        raise EOFError


def _health(reply: _Reply) -> str:
    status = reply.headers.get(b":status", b"")
    if status != b"200":
        raise NoAnswer(f"HTTP status {quoted(status, 20)}: not a gRPC server")
    code = reply.headers.get(b"grpc-status", b"")
    if code != b"0":
        number = int(code) if code.isdigit() and len(code) < 3 else -1
        name = _CODES[number] if 0 <= number < len(_CODES) else f"status {quoted(code, 20)}"
        message = unquote(reply.headers.get(b"grpc-message", b"").decode(errors="replace"))
        raise NoAnswer(f"gRPC {name}: {quoted(message, 300)}")
    if len(reply.body) < 5 or reply.body[0] or len(reply.body) < 5 + _length(reply):
        raise NoAnswer("the answer is not a gRPC message")
    return _state(reply.body[5 : 5 + _length(reply)])


def _length(reply: _Reply) -> int:
    return int.from_bytes(reply.body[1:5], "big")


def _request(service: str) -> bytes:
    name = service.encode()
    if len(name) > 127:
        raise NoAnswer("the name of a gRPC service has at most 127 bytes here")
    # Field 1, a string: its tag, its length, its bytes. An empty one is left out.
    return b"\x0a" + bytes([len(name)]) + name if name else b""


def _state(answer: bytes) -> str:
    # Field 1, an enum; absent is zero.
    value = answer[1] if len(answer) >= 2 and answer[0] == 0x08 else 0
    return _STATES.get(value, f"state {value}")
