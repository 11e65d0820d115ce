"""Tests for proportions: whether a share of bad events is over a bound by more than chance.

Both are one-sided and exact (by the normal distribution where counts are very large), so they hold
for five requests as well as for five million:

- against a fixed bound: the binomial test (C. J. Clopper, E. S. Pearson, "The use of confidence
  or fiducial limits illustrated in the case of the binomial", Biometrika 26, 1934);
- against another revision in the same window: the conditional test of two rates (J. Przyborowski,
  H. Wilenski, "Homogeneity of results in testing samples from Poisson series", Biometrika 31,
  1940). Conditional on all bad events of both, those of the candidate are binomial. For proportions
  it is conservative: it fails a candidate later than Fisher's test, never sooner.
"""

from __future__ import annotations

import math

#: Variance above which the normal distribution approximates the binomial one; the error is then
#: below 0.001.
_LARGE = 1e6
#: Counts too large for a float to represent a difference of one.
_INCREDIBLE = 1e15


def binomial_tail(bad: int, total: int, share: float) -> float:
    """Returns P(X ≥ bad) for X binomial over `total` trials of probability `share`."""
    if bad <= 0:
        return 1.0
    if bad > total or share <= 0:
        return 0.0
    if share >= 1:
        return 1.0
    variance = total * share * (1 - share)
    if variance > _LARGE or total > _INCREDIBLE:
        # Pods report the counts, and the sum below takes time proportional to the deviation.
        deviation = math.sqrt(max(variance, 1e-9))
        return 0.5 * math.erfc((bad - 0.5 - total * share) / (deviation * math.sqrt(2)))
    # Summed from the term at `bad` away from the mean; the other side when that is shorter.
    if bad <= total * share:
        return max(0.0, 1.0 - _sum(bad - 1, total, share, step=-1))
    return min(1.0, _sum(bad, total, share, step=1))


def _sum(start: int, total: int, share: float, *, step: int) -> float:
    odds = share / (1 - share)
    term = math.exp(
        math.lgamma(total + 1)
        - math.lgamma(start + 1)
        - math.lgamma(total - start + 1)
        + start * math.log(share)
        + (total - start) * math.log1p(-share)
    )
    probability, count = term, start
    while 0 <= count + step <= total:
        term *= (total - count) / (count + 1) * odds if step > 0 else count / (total - count + 1)
        if step < 0:
            term /= odds
        count += step
        probability += term
        if term <= probability * 1e-15:
            break
    return probability


def over_bound(bad: float, total: float, bound: float) -> float:
    """Returns the p-value of `bad` in `total` if the true share is at most `bound`."""
    return binomial_tail(round(bad), round(total), bound)


def over_other(
    bad: float, total: float, other_bad: float, other_total: float, ratio: float
) -> float:
    """Returns the p-value of `bad` in `total` if its rate is at most `ratio` times the other's."""
    weighted = ratio * total
    if weighted + other_total <= 0:
        return 1.0
    return binomial_tail(
        round(bad), round(bad) + round(other_bad), weighted / (weighted + other_total)
    )
