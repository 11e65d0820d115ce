"""The gRPC health protocol, asked of one address.

Its two messages are a string and an enum, so they are written and read here by hand; grpclib does
HTTP/2 and gRPC.
"""

from __future__ import annotations

import asyncio
from typing import Any

from grpclib.client import Channel, UnaryUnaryMethod
from grpclib.encoding.base import CodecBase
from grpclib.exceptions import GRPCError

from canarium.signals.faults import NoAnswer

_METHOD = "/grpc.health.v1.Health/Check"
_STATES = {0: "UNKNOWN", 1: "SERVING", 2: "NOT_SERVING", 3: "SERVICE_UNKNOWN"}


class _Bytes(CodecBase):
    """Messages are bytes already."""

    __content_subtype__ = "proto"

    def encode(self, message: Any, message_type: Any) -> bytes:
        return bytes(message)

    def decode(self, data: bytes, message_type: Any) -> Any:
        return bytes(data)


async def check(host: str, port: int, service: str, patience: float) -> str:
    """The state that the server gives for `service` ("" is the server). Raises NoAnswer."""
    channel = Channel(host, port, codec=_Bytes())
    try:
        async with asyncio.timeout(patience):
            ask = UnaryUnaryMethod[bytes, bytes](channel, _METHOD, bytes, bytes)
            return _state(await ask(_request(service), timeout=patience))
    except TimeoutError as error:
        raise NoAnswer(f"no answer within {patience:g}s") from error
    except GRPCError as error:
        raise NoAnswer(f"gRPC {error.status.name}: {error.message}") from error
    except OSError as error:
        raise NoAnswer(f"{type(error).__name__}: {error}") from error
    finally:
        channel.close()


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
