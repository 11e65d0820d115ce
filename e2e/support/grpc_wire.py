"""What the gRPC server and its callers agree on: a port, a method, and messages of plain
bytes, as they have nothing that a schema is needed for."""

from __future__ import annotations

from typing import Any

from grpclib.encoding.base import CodecBase

PORT = 9000
PREDICT = "/story.Story/Predict"


class Plain(CodecBase):
    """Messages are bytes already."""

    __content_subtype__ = "proto"

    def encode(self, message: Any, message_type: Any) -> bytes:
        return bytes(message)

    def decode(self, data: bytes, message_type: Any) -> bytes:
        return data
