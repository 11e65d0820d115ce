"""Objects at rest: as bytes they take a twentieth of what they take as dicts."""

from __future__ import annotations

import zlib
from typing import Any

import orjson


def packed(content: Any) -> bytes:
    """`content`, which JSON can say; equal bytes come of equal content in equal order."""
    return zlib.compress(orjson.dumps(content), 1)


def opened(content: bytes) -> Any:
    """What was packed."""
    return orjson.loads(zlib.decompress(content))
