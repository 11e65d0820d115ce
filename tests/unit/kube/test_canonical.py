"""Data whose bytes survive other clients; tests/integration proves it with the API server."""

from __future__ import annotations

import json
from typing import Any

import orjson
import pytest
from hypothesis import given

from anything import ANYTHING
from canarium.kube.canonical import encoded, is_canonical, normalized

rule = pytest.mark.rule


# D1: each text was written by Go's encoding/json after a decoder that keeps int64.
@rule("R20")
@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": {"d": 1, "c": 2}, "B": 3}, '{"B":3,"a":{"c":2,"d":1},"b":1}'),
        ('<a href="x">&\'', '"\\u003ca href=\\"x\\"\\u003e\\u0026\'"'),
        ("é\u2028\u2029\x7f😀", '"é\\u2028\\u2029\x7f😀"'),
        ("\x00\x1f\b\f\n\r\t\\", '"\\u0000\\u001f\\b\\f\\n\\r\\t\\\\"'),
        (1.0, "1"),
        (-0.0, "0"),
        (0.5, "0.5"),
        (1e-6, "0.000001"),
        (1e-7, "1e-7"),
        (1.5e-10, "1.5e-10"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (2**63 - 1, "9223372036854775807"),
        (2**63, "9223372036854776000"),
        (12345678901234567891, "12345678901234567000"),
        (1e100, "1e+100"),
        ([None, True, "", {}, []], '[null,true,"",{},[]]'),
    ],
)
def test_data_is_written_as_go_writes_it(value: Any, text: str) -> None:
    assert encoded(value) == text.encode()


@rule("R20")
@given(ANYTHING)
def test_canonical_data_stays_as_it_is_when_it_is_read_and_written_again(value: Any) -> None:
    text = encoded(value)
    assert encoded(orjson.loads(text)) == text
    assert json.loads(text) == json.loads(encoded(normalized(value)))
    assert is_canonical(orjson.loads(text))


def test_data_of_earlier_releases_is_recognised_by_its_key_order() -> None:
    assert not is_canonical({"algorithm": "v1", "template": {"spec": {}, "metadata": {}}})
    assert not is_canonical([{"b": 1, "a": 2}])
    assert is_canonical({"algorithm": "v1", "template": {"metadata": {}, "spec": {}}})
