"""The exact tests against figures that can be worked out by hand or by enumeration."""

from __future__ import annotations

import math

import pytest

from canarium.core.proportions import over_bound, over_other, tail

rule = pytest.mark.rule


def enumerated(bad: int, total: int, share: float) -> float:
    return sum(
        math.comb(total, k) * share**k * (1 - share) ** (total - k) for k in range(bad, total + 1)
    )


@pytest.mark.parametrize("total", [1, 5, 60, 400])
@pytest.mark.parametrize("share", [0.001, 0.01, 0.3, 0.5, 0.99])
def test_tail_is_the_sum_of_its_terms(total: int, share: float) -> None:
    for bad in {0, 1, total // 3, total // 2, total - 1, total}:
        assert tail(bad, total, share) == pytest.approx(enumerated(bad, total, share), abs=1e-12)


def test_tail_is_fast_and_finite_for_large_counts() -> None:
    assert 0.4 < tail(10_000_000 // 2, 10_000_000, 0.5) < 0.6
    assert tail(6_000_000, 10_000_000, 0.5) == 0.0


@rule("R17")
def test_three_of_five_is_weaker_evidence_than_three_hundred_of_five_hundred() -> None:
    few, many = over_bound(3, 5, 0.4), over_bound(300, 500, 0.4)
    assert few == pytest.approx(0.31744)
    assert many < 1e-15


@rule("R17")
def test_equal_rates_are_no_evidence_whatever_the_traffic_split() -> None:
    assert over_other(1, 100, 99, 9900, 1.0) > 0.5
    assert over_other(30, 100, 99, 9900, 1.0) < 1e-20


@rule("R17")
def test_comparison_fails_no_sooner_than_fishers_test() -> None:
    # Fisher: the candidate's part of all errors is hypergeometric.
    bad, total, other_bad, other_total = 9, 60, 3, 60
    errors = bad + other_bad
    fisher = sum(
        math.comb(total, k) * math.comb(other_total, errors - k) for k in range(bad, errors + 1)
    ) / math.comb(total + other_total, errors)
    assert over_other(bad, total, other_bad, other_total, 1.0) >= fisher
