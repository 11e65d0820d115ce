"""Windows of scraped samples of one revision: the course of counters, gauges and histograms.

Resets, restarts and missing series are interpreted as by a Prometheus server, with two intended
differences: nothing is extrapolated to the window's edges, so a count stays a
count that a test can use; and a counter that was absent in an earlier *successful* scrape of the
same pod counts from zero when it appears, so that the very first error is not lost.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple

from canarium.api.reasons import CheckReason

#: Label pairs of a series, sorted, without its name.
Labels = tuple[tuple[str, str], ...]
#: Values of one selector in one scrape, by series.
Values = Mapping[Labels, float]


@dataclass(frozen=True, slots=True)
class Scrape:
    """The values of one pod at one moment: an entry per requested selector, which may be empty.

    `incarnation` distinguishes containers of one pod: a new container resets all counters.
    """

    pod: str
    at: float
    values: Mapping[str, Values]
    incarnation: str = ""


class FailedScrape(NamedTuple):
    """A scrape without values: when, of which pod, why, and the reason for conditions."""

    at: float
    pod: str
    message: str
    reason: str = CheckReason.QUERY_FAILED


@dataclass(frozen=True, slots=True)
class Window:
    """The scrapes of one revision's pods, in the order of time; all times in POSIX seconds."""

    scrapes: tuple[Scrape, ...] = ()
    #: Scrapes that failed, newest last.
    failures: tuple[FailedScrape, ...] = ()
    _by_pod: Mapping[str, tuple[Scrape, ...]] = field(
        init=False, repr=False, compare=False, default_factory=dict
    )

    def __post_init__(self) -> None:
        pods: dict[str, list[Scrape]] = {}
        for scrape in self.scrapes:
            pods.setdefault(scrape.pod, []).append(scrape)
        object.__setattr__(self, "_by_pod", {pod: tuple(of_pod) for pod, of_pod in pods.items()})

    @property
    def pods(self) -> tuple[tuple[Scrape, ...], ...]:
        """The scrapes of each pod."""
        return tuple(self._by_pod.values())

    @property
    def newest(self) -> float | None:
        return max((scrape.at for scrape in self.scrapes), default=None)

    @property
    def seconds(self) -> float:
        """Seconds between the first and the last scrape; 0 with fewer than two."""
        if len(self.scrapes) < 2:
            return 0.0
        return max(scrape.at for scrape in self.scrapes) - min(scrape.at for scrape in self.scrapes)

    def knows(self, selector: str) -> bool:
        """Returns whether any scrape has a series of `selector`."""
        return any(scrape.values.get(selector) for scrape in self.scrapes)

    def since(self, moment: float) -> Window:
        """Returns the window from `moment` on, with each pod's last earlier scrape as its
        baseline."""
        in_window = []
        for scrapes in self.pods:
            before = [x for x in scrapes if x.at <= moment][-1:]
            in_window += [*before, *(x for x in scrapes if x.at > moment)]
        failures = tuple(f for f in self.failures if f.at > moment)
        return Window(tuple(sorted(in_window, key=lambda scrape: scrape.at)), failures)


def size(scrapes: Iterable[Scrape]) -> int:
    """Returns the number of values in the scrapes."""
    return sum(len(series) for scrape in scrapes for series in scrape.values.values())


def thinned(scrapes: Iterable[Scrape], most: int) -> tuple[Scrape, ...]:
    """Returns the scrapes reduced to at most `most` values.

    Every other scrape of each pod is dropped, repeatedly if necessary, but never the oldest and
    newest of a pod. Of a counter's course in between, only a reset that it has made up for is lost.
    Returns none if even the oldest and newest have more values.
    """
    remaining = tuple(scrapes)
    while size(remaining) > most:
        pods: dict[str, list[Scrape]] = {}
        for scrape in remaining:
            pods.setdefault(scrape.pod, []).append(scrape)
        if all(len(of_pod) <= 2 for of_pod in pods.values()):
            return ()
        fewer = (x for of_pod in pods.values() for x in (*of_pod[:-1:2], of_pod[-1]))
        remaining = tuple(sorted(fewer, key=lambda scrape: scrape.at))
    return remaining


def increases(window: Window, selector: str) -> dict[Labels, float]:
    """Returns by how much each counter of `selector` grew, over all pods."""
    total: dict[Labels, float] = {}
    for scrapes in window.pods:
        for before, after in pairwise(scrapes):
            old, new = before.values.get(selector, {}), after.values.get(selector, {})
            restarted = before.incarnation != after.incarnation
            for series, value in new.items():
                base = 0.0 if restarted else old.get(series, 0.0)
                # A counter that decreased was reset: its whole value is new.
                grown = value - base if value >= base else value
                total[series] = total.get(series, 0.0) + grown
    return total


def increase(window: Window, selector: str) -> float:
    """Returns by how much the counters of `selector` grew together."""
    return sum(increases(window, selector).values())


def levels(window: Window, selector: str) -> list[float]:
    """Returns the gauge of each pod (the sum of its series) as the mean over the window."""
    means = []
    for scrapes in window.pods:
        values = [sum(x.values[selector].values()) for x in scrapes if x.values.get(selector)]
        if values:
            means.append(sum(values) / len(values))
    return means


def buckets(window: Window, selector: str) -> list[tuple[float, float]]:
    """Returns the growth of a histogram: (upper bound, observations at or below it), by bound.

    Counts are made monotonic, because scrapes are not atomic. Empty without a `+Inf` bucket.
    """
    grown: dict[float, float] = {}
    for series, value in increases(window, selector).items():
        text = dict(series).get("le")
        if text is not None:
            grown[_bound(text)] = grown.get(_bound(text), 0.0) + value
    if float("inf") not in grown:
        return []
    cumulative, highest = [], 0.0
    for bound, count in sorted(grown.items()):
        highest = max(highest, count)
        cumulative.append((bound, highest))
    return cumulative


def _bound(text: str) -> float:
    return float("inf") if text in ("+Inf", "Inf") else float(text)


def quantile(q: float, histogram: Iterable[tuple[float, float]]) -> float | None:
    """Returns the q-quantile by linear interpolation inside its bucket, like PromQL's
    `histogram_quantile`.

    In the last, open bucket it is the lower bound of that bucket. None without observations.
    """
    rows = list(histogram)
    total = rows[-1][1] if rows else 0.0
    if total <= 0:
        return None
    rank = q * total
    low, below = 0.0, 0.0
    for index, (bound, count) in enumerate(rows):
        if count >= rank:
            if bound == float("inf"):
                return rows[index - 1][0] if index else None
            if index == 0 and bound <= 0:
                return bound
            return low + (bound - low) * ((rank - below) / (count - below) if count > below else 0)
        low, below = bound, count
    return None


def above(limit: float, histogram: Iterable[tuple[float, float]]) -> float:
    """Returns how many observations exceed `limit`, by the same interpolation."""
    rows = list(histogram)
    total = rows[-1][1] if rows else 0.0
    low, below = 0.0, 0.0
    for bound, count in rows:
        if limit <= bound:
            if bound == float("inf"):
                # The highest finite bound is all that is known about them.
                return total - below
            share = (limit - low) / (bound - low) if bound > low else 1.0
            return total - (below + (count - below) * max(0.0, min(1.0, share)))
        low, below = bound, count
    return 0.0
