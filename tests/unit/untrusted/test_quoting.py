"""H8: what is left of a foreign text once it is quoted."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canarium.untrusted.quoting import LONGEST, lines, quoted


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("plain", "plain"),
        ("zażółć 漢字 😀", "zażółć 漢字 😀"),
        ("a\nERROR forged\r\tb", r"a\nERROR forged\r\tb"),
        ("\x1b[31mred\x07\x9b", r"\x1b[31mred\x07\x9b"),
        ("a\u2028b\u2029c\x85d", r"a\u2028b\u2029c\x85d"),
        ("\u202egnp.exe\u2066\u200b\ufeff", r"\u202egnp.exe\u2066\u200b\ufeff"),
        ("\ud800", r"\ud800"),
        ("\U000e0041", r"\U000e0041"),
        (b"\xff bytes", "� bytes"),
        (404, "404"),
        (None, "None"),
    ],
)
def test_unsafe_characters_are_escaped(text: object, expected: str) -> None:
    assert quoted(text) == expected


@given(st.text(st.characters()), st.integers(1, 50))
def test_quotation_is_one_printable_line_within_its_limit(text: str, limit: int) -> None:
    found = quoted(text, limit)
    assert len(found) <= limit
    assert len(found.splitlines()) <= 1
    assert json.loads(json.dumps(found).encode()) == found
    assert not any(ord(c) < 32 or 127 <= ord(c) < 160 for c in found)


def test_only_the_kept_part_is_read() -> None:
    assert quoted("\n" * 50_000_000, 100) == r"\n" * 49 + "…"
    assert len(quoted(b"\xf0\x9f\x98\x80" * 1000)) == LONGEST


def test_lines_are_kept_and_each_is_quoted() -> None:
    assert lines("one\ntwo\x1b\nthree") == "one\ntwo\\x1b\nthree"
    assert len(lines("x\n" * 100_000, 4096)) <= 4096
