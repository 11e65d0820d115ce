"""The option `--shards`, and what the metrics state with it."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from canarium.config import Config
from canarium.telemetry.metrics import OperatorMetrics
from canarium.telemetry.operator_state import State


@pytest.mark.parametrize("number", [0, -1, 65])
def test_number_of_shards_out_of_bounds_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="--shards must be at least 1 and at most 64"):
        Config(shards=number, lease_namespace="canarium")


def test_shards_without_a_lease_are_refused() -> None:
    with pytest.raises(ValueError, match="--shards requires --lease-namespace"):
        Config(shards=2)


def test_one_shard_needs_no_lease() -> None:
    assert Config().shards == 1


@pytest.mark.parametrize(("shards", "stated"), [(None, None), (lambda: 2, 2.0)])
def test_shards_are_counted_only_where_there_are_several(
    shards: Callable[[], int] | None, stated: float | None
) -> None:
    metrics = OperatorMetrics()
    state = State(lambda: 0, lambda: 0, lambda: 0, lambda: True, lambda: (), shards=shards)
    metrics.describe(state)
    assert metrics.registry.get_sample_value("canarium_shards_led") == stated
