"""The exact tests against figures that can be worked out by hand or by enumeration."""

from __future__ import annotations

import math
import time

import pytest

from canarium.core.evidence.statistics import binomial_tail, over_bound, over_other

rule = pytest.mark.rule


def enumerated(bad: int, total: int, share: float) -> float:
    return sum(
        math.comb(total, k) * share**k * (1 - share) ** (total - k) for k in range(bad, total + 1)
    )


@pytest.mark.parametrize("total", [1, 5, 60, 400])
@pytest.mark.parametrize("share", [0.001, 0.01, 0.3, 0.5, 0.99])
def test_tail_is_the_sum_of_its_terms(total: int, share: float) -> None:
    for bad in {0, 1, total // 3, total // 2, total - 1, total}:
        assert binomial_tail(bad, total, share) == pytest.approx(
            enumerated(bad, total, share), abs=1e-12
        )


def test_tail_is_fast_and_finite_for_large_counts() -> None:
    assert 0.4 < binomial_tail(10_000_000 // 2, 10_000_000, 0.5) < 0.6
    assert binomial_tail(6_000_000, 10_000_000, 0.5) == 0.0


@rule("R17")
def test_three_of_five_is_weaker_evidence_than_three_hundred_of_five_hundred() -> None:
    few, many = over_bound(3, 5, 0.4), over_bound(300, 500, 0.4)
    assert few == pytest.approx(0.31744)
    assert many < 1e-15


@rule("R17")
def test_equal_rates_are_not_evidence_at_any_traffic_split() -> None:
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


@pytest.mark.rule("R31")
@pytest.mark.parametrize("total", [1e6, 1e9, 1e15, 1e18, 1e300])
@pytest.mark.parametrize("share", [1e-9, 0.01, 0.4])
def test_cost_does_not_grow_with_the_counts_that_a_pod_reports(total: float, share: float) -> None:
    began = time.process_time()
    assert over_bound(total / 2, total, share) < 1e-6
    assert over_bound(total * share / 2, total, share) > 0.99
    assert over_other(total / 2, total, total / 9, total, 1.5) < 1e-6
    assert time.process_time() - began < 0.1


def test_large_counts_agree_with_the_exact_sum_where_the_two_meet() -> None:
    total, share = 4_000_000, 0.5
    for bad in (1_999_000, 2_000_000, 2_000_500, 2_002_000):
        exact, near = binomial_tail(bad, total - 8, share), binomial_tail(bad + 4, total + 8, share)
        assert near == pytest.approx(exact, abs=0.002)
