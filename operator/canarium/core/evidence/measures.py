"""Measurements of a window: shares, percentiles, means, rates and levels.

A measure names selectors, which are matched against series where pods are scraped. Several
selectors are alternatives for different servers and are summed: those that a server lacks add
nothing, but if it has none of them the measure is missing, which is never the same as zero.
"""

from __future__ import annotations

from dataclasses import dataclass

from canarium.api.reasons import CheckReason
from canarium.core.evidence.faulty_object import FaultyObject
from canarium.core.evidence.windows import (
    Window,
    above,
    buckets,
    increase,
    levels,
    quantile,
)


@dataclass(frozen=True, slots=True)
class Selector:
    """Series by name, and by regular expressions that labels must match whole."""

    name: str
    labels: tuple[tuple[str, str], ...] = ()

    @property
    def key(self) -> str:
        """Its PromQL form, which is the key of its values in a scrape."""
        inner = ",".join(f'{label}=~"{pattern}"' for label, pattern in self.labels)
        return f"{self.name}{{{inner}}}" if inner else self.name


Selectors = tuple[Selector, ...]


@dataclass(frozen=True, slots=True)
class Share:
    """Ratio of `bad` to `total`, both counters, such as errors to requests."""

    bad: Selectors
    total: Selectors


@dataclass(frozen=True, slots=True)
class Quantile:
    """A percentile of histograms (`…_bucket` selectors), times `scale`."""

    q: float
    histogram: Selectors
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class Mean:
    """Ratio of a sum to a count, both counters, times `scale`."""

    sum: Selectors
    count: Selectors
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class PerSecond:
    """Growth of counters per second, over all pods together."""

    counter: Selectors


@dataclass(frozen=True, slots=True)
class Level:
    """Gauges, as the mean over the window of each pod; `over` aggregates the pods."""

    gauge: Selectors
    over: str = "Average"


Measure = Share | Quantile | Mean | PerSecond | Level


@dataclass(frozen=True, slots=True)
class Reading:
    """A value with its number of observations, as far as known.

    `bad` is set for shares; `q` and `histogram` (already scaled) for percentiles.
    """

    value: float
    samples: float | None = None
    bad: float | None = None
    q: float | None = None
    histogram: tuple[tuple[float, float], ...] = ()


#: Reasons of the network and of the operator itself: no version fails for them (R17, R25).
NOT_OF_THE_VERSION = frozenset({CheckReason.PODS_UNREACHABLE, CheckReason.EVALUATION_UNAVAILABLE})


@dataclass(frozen=True, slots=True)
class Missing:
    """Why there is no value; `error` if the query itself failed. `reason` is for conditions."""

    message: str
    error: bool = False
    reason: str = CheckReason.NO_DATA
    #: The object that has to be corrected, if it is one.
    faulty: FaultyObject | None = None

    @property
    def counts(self) -> bool:
        """Whether it counts against `errorLimit`: a failed query whose failure is not that of the
        network or of the operator itself."""
        return self.error and self.reason not in NOT_OF_THE_VERSION


Result = Reading | Missing


def selectors(measure: Measure) -> Selectors:
    """Returns all selectors that must be scraped for `measure`."""
    match measure:
        case Share(bad, total):
            return (*bad, *total)
        case Quantile(histogram=scraped) | PerSecond(scraped) | Level(gauge=scraped):
            return scraped
        case Mean(total, count):
            return (*total, *count)


def read(measure: Measure, window: Window) -> Result:
    """Returns the value of `measure` in `window`, or why it is missing."""
    if not window.scrapes:
        last = window.failures[-1] if window.failures else None
        if last:
            text = f"no pod was scraped: {last.pod}: {last.message}"
            return Missing(text, error=True, reason=last.reason)
        return Missing("no pod was scraped yet")
    match measure:
        case Share(bad, total):
            return _share(window, bad, total)
        case Quantile():
            return _quantile(window, measure)
        case Mean(total, count, scale):
            if lacking := _lacking(window, count):
                return lacking
            number = _grown(window, count)
            if number <= 0:
                return Missing("no observation in the window")
            return Reading(_grown(window, total) * scale / number, samples=number)
        case PerSecond(counter):
            if lacking := _lacking(window, counter):
                return lacking
            if window.seconds <= 0:
                return Missing("scraped once so far: a rate needs two scrapes")
            number = _grown(window, counter)
            return Reading(number / window.seconds)
        case Level(gauge, over):
            if lacking := _lacking(window, gauge):
                return lacking
            pods = [value for selector in gauge for value in levels(window, selector.key)]
            joined = {"Sum": sum(pods), "Max": max(pods), "Average": sum(pods) / len(pods)}
            return Reading(joined[over])


def _share(window: Window, bad: Selectors, total: Selectors) -> Result:
    if lacking := _lacking(window, total):
        return lacking
    number = _grown(window, total)
    if number <= 0:
        return Missing("no request in the window")
    # A counter of errors often appears only with the first error, so a missing one is zero.
    failed = min(_grown(window, bad), number)
    return Reading(failed / number, samples=number, bad=failed)


def _quantile(window: Window, measure: Quantile) -> Result:
    if lacking := _lacking(window, measure.histogram):
        return lacking
    histograms = [buckets(window, x.key) for x in measure.histogram if window.knows(x.key)]
    rows = (
        tuple((bound * measure.scale, count) for bound, count in histograms[0])
        if histograms
        else ()
    )
    value = quantile(measure.q, rows)
    if value is None:
        return Missing("no observation in the window")
    return Reading(value, samples=rows[-1][1], q=measure.q, histogram=rows)


def exceeding(reading: Reading, limit: float) -> float:
    """Returns how many observations of a percentile's histogram exceed `limit`."""
    return above(limit, reading.histogram)


def _grown(window: Window, counters: Selectors) -> float:
    return sum(increase(window, selector.key) for selector in counters)


def _lacking(window: Window, wanted: Selectors) -> Missing | None:
    if any(window.knows(selector.key) for selector in wanted):
        return None
    names = " or ".join(selector.key for selector in wanted)
    return Missing(f"the pods' metrics have no {names}", reason=CheckReason.NO_SUCH_METRIC)
