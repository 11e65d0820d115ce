"""Objects at rest: what is like another one takes a fraction of it."""

from __future__ import annotations

import zlib
from typing import Any

import orjson
import pytest

from canarium.engine.cache.compression import Compressor


def model(name: str, **more: Any) -> dict[str, Any]:
    conditions = [{"type": kind, "status": "True"} for kind in ("Ready", "Available", "Stalled")]
    return {"metadata": {"name": name}, "status": {"conditions": conditions, **more}}


@pytest.mark.parametrize("content", [{}, [], None, "ä", model("b"), {"x": list(range(20_000))}])
def test_compressed_object_is_restored_in_any_order(content: Any) -> None:
    packing = Compressor()
    for first in (model("a"), content, model("c")):
        assert packing.decompress(packing.compress(first)) == first


def test_dictionary_may_be_larger_than_the_window() -> None:
    packing = Compressor()
    for number in range(3):
        content = {"number": number, "x": list(range(20_000))}
        assert packing.decompress(packing.compress(content)) == content


def test_equal_content_gives_equal_bytes_and_other_content_others() -> None:
    packing = Compressor()
    first = packing.compress(model("a"))
    assert packing.compress(model("a")) == first
    assert packing.compress(model("b")) != first


def test_similar_object_takes_a_fraction_of_its_size() -> None:
    packing = Compressor()
    packing.compress(model("a", message="version 1 serves"))
    alike = model("b", message="version 2 serves")
    alone = zlib.compress(orjson.dumps(alike), 1)
    assert len(packing.compress(alike)) < len(alone) / 2
