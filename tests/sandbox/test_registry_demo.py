"""What `make demo-registry` measures and expects, without its cluster."""

from __future__ import annotations

from typing import Any

import pytest

from demo.registry.mlflow import restarted
from demo.registry.story import INTERVAL, QUIET, polls


def pod(**counts: int) -> dict[str, Any]:
    states = [{"name": name, "restartCount": count} for name, count in counts.items()]
    return {"status": {"containerStatuses": states}}


def test_container_that_restarted_is_named() -> None:
    assert restarted([pod(mlflow=0, s3=0), {"status": {}}]) == []
    assert restarted([pod(mlflow=0, s3=2), pod(mlflow=1, s3=0)]) == ["s3", "mlflow"]


@pytest.mark.parametrize(
    ("intervals", "fewest", "most"), [(QUIET / INTERVAL, 1, 3), (0.5, 0, 1), (10, 8, 12)]
)
def test_requests_without_a_release_follow_the_interval(
    intervals: float, fewest: int, most: int
) -> None:
    allowed = polls(intervals * INTERVAL)
    assert (allowed[0], allowed[-1]) == (fewest, most)
