"""What an older operator reports about a model that it does not support, and what it keeps."""

from __future__ import annotations

from typing import Any

import pytest

from canarium.api.decode import UnsupportedResource, decode_spec, decode_status
from canarium.core.status.unsupported import status_of
from core.cluster import spec

rule = pytest.mark.rule
CONDITION = {"type": "Ready", "status": "True", "reason": "Promoted", "message": "", "new": 1}


def model(**fields: Any) -> dict[str, Any]:
    return {"metadata": {"generation": 3}, "spec": spec("1"), **fields}


def decode(raw: dict[str, Any]) -> None:
    decode_spec(raw["spec"])
    decode_status(raw.get("status"))


@rule("R21")
@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (model(spec={**spec("1"), "shadow": {}}), "spec.shadow: unknown field"),
        (
            model(spec={**spec("1"), "rollout": {"steps": [{"weight": 5, "ramp": "1m"}]}}),
            "spec.rollout.steps[0].ramp: unknown field",
        ),
        (
            model(spec={**spec("1"), "rollout": {"strategy": "Shadow"}}),
            "spec.rollout.strategy: ",
        ),
        (
            model(
                status={
                    "history": [
                        {"revision": "a", "outcome": "Shadowed", "time": "2026-01-01T00:00:00Z"}
                    ]
                }
            ),
            "status.history[0].outcome: ",
        ),
    ],
    ids=["field", "field in a list", "word", "word in the status"],
)
def test_unsupported_field_is_named_with_its_path(raw: dict[str, Any], said: str) -> None:
    with pytest.raises(UnsupportedResource) as caught:
        decode(raw)
    assert str(caught.value).startswith(said)
    assert "leaves the model unmanaged" in str(caught.value)


def test_unknown_field_of_a_status_is_accepted() -> None:
    decode_status({"phase": "Ready", "shadow": {"weight": 5}})


@rule("R21")
def test_status_of_an_unsupported_model_keeps_unknown_fields_and_is_not_ready() -> None:
    before = {
        "phase": "Ready", "shadow": {"weight": 5}, "stable": {"revision": "a", "new": 1},
        "conditions": [CONDITION, {**CONDITION, "type": "Shadowed"}],
    }  # fmt: skip
    after = status_of(model(status=before), "why", 0.0)
    assert after["shadow"] == before["shadow"]
    assert after["stable"] == before["stable"]
    assert (after["phase"], after["message"], after["observedGeneration"]) == ("Invalid", "why", 3)
    found = {c["type"]: c for c in after["conditions"]}
    assert found["Shadowed"] == {**CONDITION, "type": "Shadowed"}
    assert (found["Ready"]["status"], found["Ready"]["reason"]) == ("False", "UnsupportedSpec")
    assert (found["Stalled"]["status"], found["Stalled"]["message"]) == ("True", "Why")


def test_repeated_status_of_an_unsupported_model_is_equal() -> None:
    once = status_of(model(), "why", 0.0)
    assert status_of(model(status=once), "why", 60.0) == once
