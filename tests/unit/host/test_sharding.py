"""The option `--shards`, and the fence of a process that leads some of them."""

from __future__ import annotations

import pytest

from canarium.config import Config


@pytest.mark.parametrize("number", [0, -1, 65])
def test_number_of_shards_out_of_bounds_is_refused(number: int) -> None:
    with pytest.raises(ValueError, match="--shards must be at least 1 and at most 64"):
        Config(shards=number, lease_namespace="canarium")


def test_shards_without_a_lease_are_refused() -> None:
    with pytest.raises(ValueError, match="--shards requires --lease-namespace"):
        Config(shards=2)


def test_one_shard_needs_no_lease() -> None:
    assert Config().shards == 1
