"""The memory of all namespaces: who loses an entry."""

from __future__ import annotations

import pytest

from canarium.sources.eviction import oldest_of_largest

rule = pytest.mark.rule


@rule("R31")
@pytest.mark.parametrize(
    ("keys", "evicted"),
    [
        (["a1"], "a1"),
        (["b1", "a1", "a2"], "a1"),
        (["b1", "a1", "b2"], "b1"),
        (["c1", "b1", "a1", "a2", "c2"], "c1"),
    ],
)
def test_namespace_with_the_most_loses_its_oldest_entry(keys: list[str], evicted: str) -> None:
    assert oldest_of_largest(keys, lambda key: key[0]) == evicted


def test_empty_memory_has_none_to_lose() -> None:
    with pytest.raises(ValueError, match="not enough values"):
        oldest_of_largest([], str)
