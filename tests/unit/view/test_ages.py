"""Times as people read them."""

from __future__ import annotations

from canarium.view.ages import short


def test_duration_is_never_negative() -> None:
    assert short(-5) == short(-0.5) == "0s"
