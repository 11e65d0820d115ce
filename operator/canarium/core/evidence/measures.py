"""What can be measured in a window: shares, percentiles, means, rates and levels.

A measure names selectors; which series they match is decided where pods are scraped. Several
selectors are alternatives of different servers, summed: those that a server lacks add nothing, but
when it has none of them the measure is missing, which is never the same as zero.
"""

from __future__ import annotations

from dataclasses import dataclass

from canarium.api.reasons import CheckReason
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
        """How it is written in PromQL; the key under which a scrape has its values."""
        inner = ",".join(f'{label}=~"{pattern}"' for label, pattern in self.labels)
        return f"{self.name}{{{inner}}}" if inner else self.name


Selectors = tuple[Selector, ...]


@dataclass(frozen=True, slots=True)
class Share:
    """`bad` as a part of `total`, both counters; such as errors of requests."""

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
    """A sum by a count, both counters, times `scale`."""

    sum: Selectors
    count: Selectors
    scale: float = 1.0


@dataclass(frozen=True, slots=True)
class PerSecond:
    """How fast counters grow, over all pods together."""

    counter: Selectors


@dataclass(frozen=True, slots=True)
class Level:
    """Gauges, as the mean over the window per pod; `over` joins the pods."""

    gauge: Selectors
    over: str = "Average"


Measure = Share | Quantile | Mean | PerSecond | Level


@dataclass(frozen=True, slots=True)
class Reading:
    """A value with the number of observations behind it, as far as that is known.

    `bad` is there for shares; `q` and `histogram` (already scaled) for percentiles.
    """

    value: float
    samples: float | None = None
    bad: float | None = None
    q: float | None = None
    histogram: tuple[tuple[float, float], ...] = ()


@dataclass(frozen=True, slots=True)
class Missing:
    """No value, and why; `error` when asking itself failed. `reason` is for conditions."""

    message: str
    error: bool = False
    reason: str = CheckReason.NO_DATA


Result = Reading | Missing


def selectors(measure: Measure) -> Selectors:
    """All that must be scraped for `measure`."""
    match measure:
        case Share(bad, total):
            return (*bad, *total)
        case Quantile(histogram=found) | PerSecond(found) | Level(gauge=found):
            return found
        case Mean(total, count):
            return (*total, *count)


def read(measure: Measure, window: Window) -> Result:
    """What `window` says about `measure`."""
    if not window.scrapes:
        last = window.failures[-1] if window.failures else None
        if last:
            text = f"no pod was scraped: {last.pod}: {last.message}"
            # A lost connection is not the version's error: it never counts against errorLimit.
            return Missing(
                text, error=last.reason != CheckReason.PODS_UNREACHABLE, reason=last.reason
            )
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
            pods = [value for ctx in gauge for value in levels(window, ctx.key)]
            joined = {"Sum": sum(pods), "Max": max(pods), "Average": sum(pods) / len(pods)}
            return Reading(joined[over])


def _share(window: Window, bad: Selectors, total: Selectors) -> Result:
    if lacking := _lacking(window, total):
        return lacking
    number = _grown(window, total)
    if number <= 0:
        return Missing("no request in the window")
    # A counter of errors often appears only with the first error: absent, it is zero.
    failed = min(_grown(window, bad), number)
    return Reading(failed / number, samples=number, bad=failed)


def _quantile(window: Window, measure: Quantile) -> Result:
    if lacking := _lacking(window, measure.histogram):
        return lacking
    found = [buckets(window, ctx.key) for ctx in measure.histogram if window.knows(ctx.key)]
    rows = tuple((bound * measure.scale, count) for bound, count in found[0]) if found else ()
    value = quantile(measure.q, rows)
    if value is None:
        return Missing("no observation in the window")
    return Reading(value, samples=rows[-1][1], q=measure.q, histogram=rows)


def exceeding(reading: Reading, limit: float) -> float:
    """How many observations behind a percentile were over `limit`."""
    return above(limit, reading.histogram)


def _grown(window: Window, found: Selectors) -> float:
    return sum(increase(window, ctx.key) for ctx in found)


def _lacking(window: Window, wanted: Selectors) -> Missing | None:
    if any(window.knows(ctx.key) for ctx in wanted):
        return None
    names = " or ".join(ctx.key for ctx in wanted)
    return Missing(f"the pods' metrics have no {names}", reason=CheckReason.NO_SUCH_METRIC)
