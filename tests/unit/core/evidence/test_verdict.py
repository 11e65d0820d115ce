"""R17: what passes, what fails, and what is neither."""

from __future__ import annotations

import pytest

from canarium.core.evidence.measures import Missing, Reading, Result
from canarium.core.evidence.verdict import (
    Bounds,
    Evidence,
    Finding,
    Tally,
    TallyLimits,
    Verdict,
    evidence_from,
    judge,
)

rule = pytest.mark.rule


def errors(bad: float, total: float) -> Reading:
    return Reading(bad / total, samples=total, bad=bad)


def latency(fast: float, slow: float) -> Reading:
    """`fast` observations under 0.1 s, `slow` ones between 0.1 s and 1 s; the P95."""
    rows = ((0.1, fast), (1.0, fast + slow), (float("inf"), fast + slow))
    value = 0.1 if fast >= 0.95 * (fast + slow) else 0.9
    return Reading(value, samples=fast + slow, q=0.95, histogram=rows)


def look(
    bounds: Bounds, candidate: Result, stable: Result | None = None, minimum: float = 100
) -> Finding:
    return judge("check", bounds, candidate, stable, min_samples=minimum, confidence=0.99)


ONE_PERCENT = Bounds(maximum=0.01)


@rule("R17")
@pytest.mark.parametrize(
    ("bounds", "candidate", "stable", "verdict", "reason"),
    [
        (ONE_PERCENT, errors(0, 100), None, "Pass", "WithinBounds"),
        (ONE_PERCENT, errors(1, 100), None, "Pass", "WithinBounds"),
        (ONE_PERCENT, errors(0, 99), None, "Insufficient", "NotEnoughSamples"),
        (ONE_PERCENT, errors(3, 5), None, "Insufficient", "NotEnoughSamples"),
        (ONE_PERCENT, errors(300, 500), None, "Fail", "AboveMaximum"),
        (ONE_PERCENT, errors(2, 100), None, "Insufficient", "NotSignificant"),
        (ONE_PERCENT, errors(5, 100), None, "Fail", "AboveMaximum"),
        (ONE_PERCENT, Missing("nothing"), None, "Insufficient", "NoData"),
        (ONE_PERCENT, Missing("down", True, "QueryFailed"), None, "Insufficient", "QueryFailed"),
        (ONE_PERCENT, Reading(float("nan")), None, "Insufficient", "NoData"),
        (ONE_PERCENT, Reading(float("inf")), None, "Insufficient", "NoData"),
        (Bounds(minimum=5), Reading(4.9), None, "Fail", "BelowMinimum"),
        (Bounds(minimum=5), Reading(5.0), None, "Pass", "WithinBounds"),
        (Bounds(maximum=0.2), latency(960, 40), None, "Pass", "WithinBounds"),
        (Bounds(maximum=0.2), latency(900, 100), None, "Fail", "AboveMaximum"),
        (Bounds(maximum=0.2), latency(94, 6), None, "Insufficient", "NotSignificant"),
        (Bounds(max_ratio=1.5), errors(1, 1000), errors(0, 9000), "Insufficient", "NotSignificant"),
        (Bounds(max_ratio=1.5), errors(1, 1000), errors(0, 1000), "Pass", "NoWorseThanStable"),
        (Bounds(max_ratio=1.5), errors(50, 1000), errors(10, 1000), "Fail", "AboveMaximum"),
        (Bounds(max_ratio=1.5), errors(50, 1000), None, "Insufficient", "NoData"),
        (Bounds(max_ratio=1.5), errors(0, 100), errors(0, 9), "Insufficient", "NotEnoughSamples"),
        (Bounds(max_ratio=1.5), Reading(9.0), Reading(5.0), "Fail", "AboveMaximum"),
        (Bounds(max_ratio=1.5), Reading(7.0), Reading(5.0), "Pass", "WithinBounds"),
        (Bounds(max_ratio=1.5), Reading(7.0), Reading(0.0), "Insufficient", "NoData"),
        (Bounds(min_ratio=0.8), Reading(3.0), Reading(5.0), "Fail", "BelowMinimum"),
        (Bounds(max_ratio=1.5), latency(900, 100), latency(980, 20), "Fail", "AboveMaximum"),
    ],
)
def test_verdict_and_reason(
    bounds: Bounds, candidate: Result, stable: Result | None, verdict: str, reason: str
) -> None:
    found = look(bounds, candidate, stable)
    assert (found.verdict, found.reason) == (verdict, reason), found


@rule("R17")
@pytest.mark.parametrize("odd", [float("nan"), float("inf"), float("-inf")])
def test_number_that_is_not_finite_is_not_evidence(odd: float) -> None:
    for reading in (Reading(odd), Reading(0.1, samples=odd), Reading(odd, samples=odd)):
        found = look(Bounds(maximum=0.5), reading)
        assert (found.verdict, found.reason) == (Verdict.INSUFFICIENT, "NoData")
        assert (found.value, found.samples) == (None, None), "JSON has no such number"
    ratio = Bounds(max_ratio=2)
    assert look(ratio, Reading(1.0), Reading(1.0, samples=odd)).verdict is Verdict.INSUFFICIENT


@rule("R17")
def test_one_bound_that_fails_outweighs_one_that_passes() -> None:
    both = Bounds(maximum=0.5, max_ratio=1.5)
    assert look(both, errors(100, 1000), errors(10, 1000)).verdict is Verdict.FAIL
    assert look(both, errors(10, 1000), Missing("none")).verdict is Verdict.INSUFFICIENT


@rule("R17")
def test_finding_contains_value_threshold_stable_and_samples() -> None:
    found = look(Bounds(max_ratio=1.5), errors(60, 1000), errors(20, 2000))
    assert (found.value, found.stable, found.samples) == (0.06, 0.01, 1000)
    assert found.threshold == pytest.approx(0.015)
    assert "0.06 is above 0.015 (0.01 at stable)" in found.message


def ended(verdict: Verdict, *, error: bool = False) -> Finding:
    return Finding("c", verdict, "", "", error=error)


FAILED, PASSED = ended(Verdict.FAIL), ended(Verdict.PASS)
ERRED, THIN = ended(Verdict.INSUFFICIENT, error=True), ended(Verdict.INSUFFICIENT)


def after(limits: TallyLimits, *findings: Finding) -> Evidence:
    tally = Tally()
    for finding in findings:
        tally = tally.after(finding)
    return evidence_from("r", 0, 0, [(findings[-1], tally, limits)], ())


@rule("R17")
@pytest.mark.parametrize(
    ("limits", "findings", "verdict", "exhausted"),
    [
        (TallyLimits(), [FAILED], "Fail", False),
        (TallyLimits(failures=1), [FAILED], "Insufficient", False),
        (TallyLimits(failures=1), [FAILED, FAILED], "Fail", False),
        (TallyLimits(failures=1), [FAILED, PASSED, FAILED], "Insufficient", False),
        (TallyLimits(errors=1), [ERRED], "Insufficient", True),
        (TallyLimits(errors=1), [ERRED, ERRED], "Fail", True),
        (TallyLimits(errors=1), [ERRED, THIN, ERRED], "Insufficient", True),
        (TallyLimits(), [ERRED] * 50, "Insufficient", True),
        (TallyLimits(insufficient=2), [THIN, THIN], "Insufficient", False),
        (TallyLimits(insufficient=2), [THIN, THIN, THIN], "Insufficient", True),
        (TallyLimits(insufficient=None), [THIN] * 50, "Insufficient", False),
        (TallyLimits(), [PASSED], "Pass", False),
    ],
)
def test_failures_errors_and_insufficient_results_have_separate_limits(
    limits: TallyLimits, findings: list[Finding], verdict: str, exhausted: bool
) -> None:
    found = after(limits, *findings)
    assert (found.verdict, found.exhausted) == (verdict, exhausted)


@rule("R17")
def test_verdict_without_any_result_is_not_pass() -> None:
    assert evidence_from("r", 0, 0, [], ()).verdict is Verdict.INSUFFICIENT


@rule("R17", "R25")
@pytest.mark.parametrize("reason", ["PodsUnreachable", "EvaluationUnavailable"])
def test_lack_of_network_or_workers_never_counts_against_the_limit_of_errors(reason: str) -> None:
    lacking = Missing("the workers are busy", error=True, reason=reason)
    broken = Missing("status 500", error=True, reason="QueryFailed")
    for candidate, stable, error in (
        (lacking, None, False),
        (broken, None, True),
        (errors(0, 1000), lacking, False),
        (errors(0, 1000), broken, True),
    ):
        bounds = Bounds(max_ratio=1.5) if stable else ONE_PERCENT
        assert look(bounds, candidate, stable).error is error
