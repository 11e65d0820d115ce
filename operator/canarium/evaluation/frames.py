"""Messages on a pipe: a list of byte strings, the first of them a JSON header.

A frame is the number of parts, the length of each, and then the parts.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import BinaryIO, Protocol

_COUNT = struct.Struct("<I")
_MOST_PARTS = 512
#: Bytes of a whole frame: two answers of the greatest length that is read, and their header.
LONGEST = 24 << 20


class BadFrame(Exception):
    """The other side does not keep to the format."""


class Reader(Protocol):
    async def readexactly(self, n: int) -> bytes: ...


def packed(parts: Sequence[bytes]) -> bytes:
    """Returns the bytes of a frame."""
    lengths = struct.pack(f"<{len(parts)}I", *map(len, parts))
    return b"".join((_COUNT.pack(len(parts)), lengths, *parts))


def read(stream: BinaryIO) -> list[bytes] | None:
    """Reads a frame; None at the end of the stream."""
    head = stream.read(_COUNT.size)
    if len(head) < _COUNT.size:
        return None
    count = _checked_count(head)
    lengths = struct.unpack(f"<{count}I", stream.read(4 * count))
    _check_sum(lengths, LONGEST)
    return [stream.read(length) for length in lengths]


async def receive(stream: Reader, longest: int) -> list[bytes]:
    """Reads a frame of at most `longest` bytes. Raises BadFrame, asyncio.IncompleteReadError."""
    count = _checked_count(await stream.readexactly(_COUNT.size))
    lengths = struct.unpack(f"<{count}I", await stream.readexactly(4 * count))
    _check_sum(lengths, longest)
    return [await stream.readexactly(length) for length in lengths]


def _checked_count(head: bytes) -> int:
    count: int = _COUNT.unpack(head)[0]
    if not 1 <= count <= _MOST_PARTS:
        raise BadFrame(f"{count} parts")
    return count


def _check_sum(lengths: Sequence[int], longest: int) -> None:
    if sum(lengths) > longest:
        raise BadFrame(f"{sum(lengths)} bytes")
