"""Verdicts on evidence (R17): Pass, Fail and Insufficient are three different things.

A pass needs enough observations on the candidate, a failure needs more than chance, and everything
else (no data, a query that failed, too few requests, a difference that may be luck) is
Insufficient. The policy for each verdict is decided elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import StrEnum

from canarium.api.effective_analysis import EffectiveCheck
from canarium.api.reasons import CheckReason
from canarium.core.evidence.faulty_object import FaultyObject
from canarium.core.evidence.history import PastEvaluation
from canarium.core.evidence.measures import Missing, Reading, Result, exceeding
from canarium.core.evidence.statistics import over_bound, over_other

#: p-value above which a worse-looking share counts as equal to stable's.
PLAUSIBLE = 0.2


class Verdict(StrEnum):
    PASS = "Pass"
    FAIL = "Fail"
    INSUFFICIENT = "Insufficient"


class OnFailure(StrEnum):
    """What the failure of a check causes."""

    ROLL_BACK = "RollBack"
    HOLD = "Hold"
    #: The failure is reported, and nothing waits for the check.
    WARN = "Warn"


@dataclass(frozen=True, slots=True)
class Bounds:
    """Bounds of a value: absolute, and as a ratio to stable's value in the same window."""

    maximum: float | None = None
    minimum: float | None = None
    max_ratio: float | None = None
    min_ratio: float | None = None

    @property
    def compares(self) -> bool:
        """Whether stable's value is needed."""
        return self.max_ratio is not None or self.min_ratio is not None


@dataclass(frozen=True, slots=True)
class TallyLimits:
    """How many evaluations in a row may fail, end in an error, or be insufficient; None: any
    number."""

    failures: int = 0
    errors: int | None = None
    insufficient: int | None = 0

    def exceeded_by(self, tally: Tally) -> bool:
        """Returns whether a check failed, or ended in an error, more often than allowed."""
        return tally.failures > self.failures or (
            self.errors is not None and tally.errors > self.errors
        )


@dataclass(frozen=True, slots=True)
class Finding:
    """A verdict on one check with its numbers."""

    check: str
    verdict: Verdict
    reason: str
    message: str
    value: float | None = None
    threshold: float | None = None
    stable: float | None = None
    samples: float | None = None
    #: p-value of the difference, where a test was made.
    chance: float | None = None
    #: Whether the query itself failed, which is counted apart from insufficient data.
    error: bool = False
    #: What a failure causes.
    on_failure: OnFailure = OnFailure.ROLL_BACK
    #: The Secret or ConfigMap that has to be corrected, if that is why there is no value.
    faulty: FaultyObject | None = None


def judge(
    check: str,
    bounds: Bounds,
    candidate: Result,
    stable: Result | None,
    *,
    min_samples: float,
    confidence: float,
) -> Finding:
    """Returns the verdict on one check.

    `confidence` (such as 0.99) is required for a failure, `min_samples` for anything but
    Insufficient.
    """
    if isinstance(candidate, Missing):
        return Finding(
            check,
            Verdict.INSUFFICIENT,
            candidate.reason,
            candidate.message,
            error=candidate.counts,
            faulty=candidate.faulty,
        )
    for what, number in (("value", candidate.value), ("number of observations", candidate.samples)):
        if number is not None and not math.isfinite(number):
            # Not evidence, and JSON cannot represent it.
            text = f"the {what} is {number}, not a number"
            return Finding(check, Verdict.INSUFFICIENT, CheckReason.NO_DATA, text)
    insufficient = Finding(
        check, Verdict.INSUFFICIENT, "", "", value=candidate.value, samples=candidate.samples
    )
    if candidate.samples is not None and candidate.samples < min_samples:
        text = f"{candidate.samples:.6g} of {min_samples:g} observations on the candidate"
        return replace(insufficient, reason=CheckReason.NOT_ENOUGH_SAMPLES, message=text)
    comparisons = [
        _over(check, candidate, bounds.maximum, confidence),
        _under(check, candidate, bounds.minimum),
    ]
    if bounds.compares:
        comparisons.append(_against(check, bounds, candidate, stable, min_samples, confidence))
    present = [finding for finding in comparisons if finding is not None]
    for verdict in (Verdict.FAIL, Verdict.INSUFFICIENT):
        worst = next((f for f in present if f.verdict is verdict), None)
        if worst:
            return worst
    return present[-1]


def _passed(
    check: str, reading: Reading, limit: float, sign: str, stable: float | None = None
) -> Finding:
    text = f"{reading.value:.6g} {sign} {limit:.6g}"
    return Finding(
        check,
        Verdict.PASS,
        CheckReason.WITHIN_BOUNDS,
        text,
        reading.value,
        limit,
        stable,
        reading.samples,
    )


def _over(check: str, reading: Reading, limit: float | None, confidence: float) -> Finding | None:
    if limit is None:
        return None
    if reading.value <= limit:
        return _passed(check, reading, limit, "≤")
    chance = None
    if reading.bad is not None and reading.samples:
        chance = over_bound(reading.bad, reading.samples, limit)
    elif reading.q is not None and reading.samples:
        chance = over_bound(exceeding(reading, limit), reading.samples, 1 - reading.q)
    return _higher(check, reading, limit, None, chance, confidence)


def _under(check: str, reading: Reading, limit: float | None) -> Finding | None:
    if limit is None:
        return None
    if reading.value >= limit:
        return _passed(check, reading, limit, "≥")
    return _lower(check, reading, limit, None)


def _against(
    check: str,
    bounds: Bounds,
    reading: Reading,
    stable: Result | None,
    min_samples: float,
    confidence: float,
) -> Finding:
    def insufficient(
        reason: str, text: str, error: bool = False, faulty: FaultyObject | None = None
    ) -> Finding:
        return Finding(
            check,
            Verdict.INSUFFICIENT,
            reason,
            f"no comparison with stable: {text}",
            value=reading.value,
            samples=reading.samples,
            error=error,
            faulty=faulty,
        )

    if stable is None:
        return insufficient(CheckReason.NO_DATA, "it was not measured")
    if isinstance(stable, Missing):
        return insufficient(stable.reason, stable.message, stable.counts, stable.faulty)
    if stable.samples is not None and stable.samples < min_samples:
        return insufficient(
            CheckReason.NOT_ENOUGH_SAMPLES,
            f"it has {stable.samples:.6g} of {min_samples:g} observations",
        )
    tested = reading.bad is not None
    if stable.samples is not None and not math.isfinite(stable.samples):
        return insufficient(CheckReason.NO_DATA, f"it has {stable.samples} observations")
    if not math.isfinite(stable.value) or (stable.value <= 0 and not tested):
        return insufficient(CheckReason.NO_DATA, f"its value is {stable.value:g}")
    if bounds.max_ratio is not None:
        limit = bounds.max_ratio * stable.value
        if reading.value > limit:
            chance = None
            if reading.bad is not None and stable.bad is not None:
                chance = over_other(
                    reading.bad,
                    reading.samples or 0,
                    stable.bad,
                    stable.samples or 0,
                    bounds.max_ratio,
                )
            elif reading.q is not None:
                slow = exceeding(reading, limit)
                chance = over_bound(slow, reading.samples or 0, 1 - reading.q)
            return _higher(check, reading, limit, stable.value, chance, confidence)
        passed = _passed(check, reading, limit, "≤", stable.value)
    if bounds.min_ratio is not None:
        limit = bounds.min_ratio * stable.value
        if reading.value < limit:
            return _lower(check, reading, limit, stable.value)
        passed = _passed(check, reading, limit, "≥", stable.value)
    return passed


def _higher(
    check: str,
    reading: Reading,
    limit: float,
    stable: float | None,
    chance: float | None,
    confidence: float,
) -> Finding:
    beside = f" ({stable:.6g} at stable)" if stable is not None else ""
    text = f"{reading.value:.6g} is above {limit:.6g}{beside}"
    verdict, reason = Verdict.FAIL, CheckReason.ABOVE_MAXIMUM
    if chance is not None and chance > 1 - confidence:
        verdict, reason = Verdict.INSUFFICIENT, CheckReason.NOT_SIGNIFICANT
        if stable is not None and chance >= PLAUSIBLE:
            verdict, reason = Verdict.PASS, CheckReason.NO_WORSE_THAN_STABLE
        text += (
            f" by chance with probability {chance:.2g} ({reading.samples or 0:.6g} observations)"
        )
    return Finding(
        check, verdict, reason, text, reading.value, limit, stable, reading.samples, chance
    )


def _lower(check: str, reading: Reading, limit: float, stable: float | None) -> Finding:
    beside = f" ({stable:.6g} at stable)" if stable is not None else ""
    text = f"{reading.value:.6g} is below {limit:.6g}{beside}"
    return Finding(
        check,
        Verdict.FAIL,
        CheckReason.BELOW_MINIMUM,
        text,
        reading.value,
        limit,
        stable,
        reading.samples,
    )


@dataclass(frozen=True, slots=True)
class Tally:
    """How many evaluations in a row of one check had the same result."""

    failures: int = 0
    errors: int = 0
    insufficient: int = 0

    def after(self, finding: Finding) -> Tally:
        """Returns the tally with `finding` as the latest evaluation."""
        if finding.verdict is Verdict.PASS:
            return Tally()
        if finding.verdict is Verdict.FAIL:
            return Tally(failures=self.failures + 1)
        return Tally(0, self.errors + 1 if finding.error else 0, self.insufficient + 1)


@dataclass(frozen=True, slots=True)
class Evidence:
    """The latest evaluation of a candidate, with a window from `since` on; times in POSIX seconds.

    `failed` is the finding that fails the candidate: the check, or its query, failed more often in
    a row than its limit allows. `holding` is such a finding of a check that holds the rollout
    instead. `exhausted`: a check was insufficient more often than allowed. `checks` are those that
    were evaluated: with other bounds, they prove nothing about the current ones.
    """

    revision: str
    since: float
    at: float
    findings: tuple[Finding, ...]
    failed: Finding | None = None
    exhausted: bool = False
    holding: Finding | None = None
    checks: tuple[EffectiveCheck, ...] = ()
    #: The last evaluations of each finding's check, the newest last. No decision reads them.
    histories: tuple[tuple[PastEvaluation, ...], ...] = ()

    @property
    def verdict(self) -> Verdict:
        """Pass only if every check passes, except for those that only warn."""
        if self.failed:
            return Verdict.FAIL
        if self.findings and self.open is None:
            return Verdict.PASS
        return Verdict.INSUFFICIENT

    @property
    def open(self) -> Finding | None:
        """The first required check that does not pass; a failed one has priority."""
        not_passed = [
            f
            for f in self.findings
            if f.verdict is not Verdict.PASS and f.on_failure is not OnFailure.WARN
        ]
        return self.holding or next(iter(not_passed), None)


def evidence_from(
    revision: str,
    since: float,
    at: float,
    evaluations: Iterable[tuple[Finding, Tally, TallyLimits]],
    checks: tuple[EffectiveCheck, ...],
) -> Evidence:
    """Returns the evidence from the findings of one evaluation of `checks`; tallies include that
    evaluation."""
    evaluated = list(evaluations)
    over = [finding for finding, tally, limits in evaluated if limits.exceeded_by(tally)]
    failed = next((f for f in over if f.on_failure is OnFailure.ROLL_BACK), None)
    holding = next((f for f in over if f.on_failure is OnFailure.HOLD), None)
    exhausted = any(
        limits.insufficient is not None and tally.insufficient > limits.insufficient
        for finding, tally, limits in evaluated
        if finding.on_failure is not OnFailure.WARN
    )
    findings = tuple(finding for finding, _, _ in evaluated)
    return Evidence(revision, since, at, findings, failed, exhausted, holding, checks)
