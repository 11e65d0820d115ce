"""How urgent a model is."""

from __future__ import annotations

from typing import Any

import pytest

from canarium.view.attention import urgency
from canarium.view.tree import AttentionLevel


@pytest.mark.parametrize(
    ("reason", "level"),
    [("ScaledToZero", AttentionLevel.NONE), ("NoReadyPods", AttentionLevel.OUTAGE)],
)
def test_model_that_is_scaled_to_zero_is_not_an_outage(reason: str, level: AttentionLevel) -> None:
    model: dict[str, Any] = {
        "status": {
            "phase": "Ready",
            "stable": {"revision": "aaaa1111"},
            "conditions": [{"type": "Available", "status": "False", "reason": reason}],
        }
    }
    assert urgency(model)[0] is level
