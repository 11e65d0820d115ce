"""What a reference named in records of earlier operators is read from the notes on them (R26)."""

from __future__ import annotations

from typing import Any

import pytest

from canarium.core.facts.revision import Record, digest_v1, identity_v1, identity_v2
from canarium.engine.cache import projections
from canarium.render import labels

pytestmark = pytest.mark.rule("R26")
COMMIT, DIGEST = "c" * 40, f"sha256:{'d' * 64}"


def record(uri: str, resolved: str | None = None, **notes: str) -> Record:
    """A record with a result in its identity, or else by the algorithm without results; `noted` is
    what a fetcher noted."""
    if "noted" in notes:
        notes["resolved"] = notes.pop("noted")
    spec: dict[str, Any] = {"model": {"uri": uri}}
    identity = identity_v2(spec, resolved) if resolved else identity_v1(spec)
    algorithm = "v2" if resolved else "v1"
    raw = {
        "metadata": {
            "name": "fraud-one",
            "namespace": "risk",
            "uid": "u",
            "resourceVersion": "1",
            "labels": {labels.MODEL: "fraud", labels.REVISION: "one"},
            "annotations": {
                f"canarium.dev/{key.replace('_', '-')}": value for key, value in notes.items()
            },
        },
        "revision": 1,
        "data": {
            "algorithm": algorithm,
            "digest": digest_v1(identity),
            "identity": identity,
            "model": {"uri": uri},
        },
    }
    return projections.record(raw).fact


@pytest.mark.parametrize(
    ("uri", "note", "resolved"),
    [
        ("hf://o/m", COMMIT, f"hf://o/m@{COMMIT}"),
        ("hf://o/m@main/onnx/small", COMMIT, f"hf://o/m@{COMMIT}/onnx/small"),
        ("hf://o/m@refs/pr/7/onnx", COMMIT, f"hf://o/m@{COMMIT}/onnx"),
        ("hf://o/m@refs/pr/7", COMMIT, f"hf://o/m@{COMMIT}"),
        ("oci://r:5000/a/m", DIGEST, f"oci://r:5000/a/m@{DIGEST}"),
        ("oci://r/m:prod", DIGEST, f"oci://r/m@{DIGEST}"),
        # Not what a fetcher noted, or for a URI that does not move.
        ("hf://o/m@main", "4f1c2d9", None),
        ("hf://o/m@main", f"{COMMIT}/../x", None),
        ("hf://o/m@main", DIGEST, None),
        ("oci://r/m:prod", COMMIT, None),
        ("mlflow://fraud@champion", "fraud/7, run f80d", None),
        (f"hf://o/m@{COMMIT}", COMMIT, None),
        (f"oci://r/m@{DIGEST}", DIGEST, None),
        ("s3://b/m", COMMIT, None),
        ("later://o/m", COMMIT, None),
    ],
)
def test_result_is_composed_of_the_uri_and_the_note_of_the_fetcher(
    uri: str, note: str, resolved: str | None
) -> None:
    seen = record(uri, noted=note)
    assert (seen.resolved, seen.in_effect) == (resolved, resolved)


def test_result_in_the_identity_precedes_all_notes() -> None:
    uri, resolved = "hf://o/m@main", f"hf://o/m@{'e' * 40}"
    seen = record(uri, resolved, noted=COMMIT, first_answer=f"hf://o/m@{COMMIT}")
    assert (seen.resolved, seen.in_effect, seen.first_answer) == (resolved, resolved, None)


@pytest.mark.parametrize(
    ("note", "answer"),
    [
        (f"hf://o/m@{COMMIT}", f"hf://o/m@{COMMIT}"),
        ("hf://o/m@main", None),
        ("oci://r/m:prod", None),
        ("x", None),
        ("", None),
    ],
)
def test_first_answer_is_read_only_if_it_can_be_one(note: str, answer: str | None) -> None:
    seen = record("hf://o/m@main", first_answer=note)
    assert (seen.resolved, seen.in_effect) == (None, answer)
