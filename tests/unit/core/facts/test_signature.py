"""Signatures as records store them: texts that people may have edited."""

from __future__ import annotations

import json
from typing import Any

import pytest

from canarium.core.facts.signature import parse_signature, signature_from_json, signature_to_json

SIGNED = {"key": f"sha256:{'a' * 64}", "subject": "fraud", "digest": f"sha256:{'b' * 64}"}


def test_annotation_has_what_the_fetcher_reported() -> None:
    signature = signature_from_json(SIGNED)
    assert signature is not None
    assert json.loads(signature_to_json(signature)) == SIGNED
    assert parse_signature(signature_to_json(signature)) == signature


@pytest.mark.parametrize(
    "value",
    [None, [], "x", {}, {**SIGNED, "key": 1}, {**SIGNED, "key": "x"}, {**SIGNED, "digest": None}],
)
def test_value_of_another_form_is_ignored(value: Any) -> None:
    assert signature_from_json(value) is None
    assert parse_signature(json.dumps(value)) is None


def test_text_that_is_not_json_is_ignored() -> None:
    for text in (None, "", "x", "[" * 100_000):
        assert parse_signature(text) is None


def test_identity_of_a_certificate_is_kept_and_quoted() -> None:
    for identity, kept in (("a@b", "a@b"), ("\x1b" * 999, ""), (None, None), (7, None)):
        signature = signature_from_json({**SIGNED, "identity": identity})
        assert signature
        assert parse_signature(signature_to_json(signature)) == signature
        if kept == "":
            assert signature.identity
            assert signature.identity.isprintable()
            assert len(signature.identity) <= 256
        else:
            assert signature.identity == kept


def test_name_of_the_subject_is_quoted_and_bounded() -> None:
    signature = signature_from_json({**SIGNED, "subject": "\x1b[2J" + "x" * 5000})
    assert signature is not None
    assert "\x1b" not in signature.subject
    assert len(signature.subject) <= 128
