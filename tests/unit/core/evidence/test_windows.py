"""Counters, gauges and histograms over a window, pod by pod, as a Prometheus would read them."""

from __future__ import annotations

import pytest

from canarium.core.evidence.measures import (
    Level,
    Mean,
    Missing,
    PerSecond,
    Quantile,
    Reading,
    Selector,
    Share,
    read,
)
from canarium.core.evidence.windows import (
    FailedScrape,
    Scrape,
    Window,
    above,
    increase,
    quantile,
    size,
    thinned,
)

rule = pytest.mark.rule
REQUESTS, ERRORS = Selector("requests"), Selector("requests", (("code", "5.."),))


def scrape(
    at: float, requests: float | None, errors: float | None = None, pod: str = "a", born: str = "1"
) -> Scrape:
    return Scrape(
        pod,
        at,
        {
            REQUESTS.key: {} if requests is None else {(("code", "200"),): requests},
            ERRORS.key: {} if errors is None else {(("code", "500"),): errors},
        },
        born,
    )


def window(*scrapes: Scrape) -> Window:
    return Window(scrapes)


def test_first_sample_of_a_pod_is_the_baseline() -> None:
    assert increase(window(scrape(0, 1000)), REQUESTS.key) == 0
    assert increase(window(scrape(0, 1000), scrape(5, 1010)), REQUESTS.key) == 10


def test_counter_that_decreases_was_reset() -> None:
    assert increase(window(scrape(0, 100), scrape(5, 7), scrape(10, 9)), REQUESTS.key) == 9


def test_restarted_container_starts_a_new_baseline_even_when_its_counter_is_higher() -> None:
    rows = window(scrape(0, 100), scrape(5, 140, born="2"), scrape(10, 150, born="2"))
    assert increase(rows, REQUESTS.key) == 150


def test_each_pod_is_summed_from_its_own_baseline() -> None:
    rows = window(scrape(0, 100), scrape(1, 5, pod="b"), scrape(5, 110), scrape(6, 8, pod="b"))
    assert increase(rows, REQUESTS.key) == 13


def test_error_counter_that_appears_counts_from_zero() -> None:
    rows = window(scrape(0, 100), scrape(5, 110, errors=3))
    assert increase(rows, ERRORS.key) == 3


def test_series_that_disappears_and_returns_loses_nothing() -> None:
    rows = window(scrape(0, 100), scrape(10, 130))  # the scrape at 5 failed
    assert increase(rows, REQUESTS.key) == 30


def test_since_keeps_the_sample_before_as_the_baseline() -> None:
    rows = window(scrape(0, 100), scrape(5, 110), scrape(10, 130))
    assert increase(rows.since(6), REQUESTS.key) == 20


BUCKETS = [(0.1, 50.0), (0.5, 90.0), (1.0, 100.0), (float("inf"), 100.0)]


@pytest.mark.parametrize(
    ("q", "value"), [(0.5, 0.1), (0.9, 0.5), (0.95, 0.75), (0.25, 0.05), (1.0, 1.0)]
)
def test_quantile_interpolates_in_its_bucket(q: float, value: float) -> None:
    assert quantile(q, BUCKETS) == pytest.approx(value)


def test_quantile_in_the_open_bucket_is_the_last_finite_bound() -> None:
    assert quantile(0.9, [(0.1, 5.0), (float("inf"), 10.0)]) == 0.1
    assert quantile(0.9, [(float("inf"), 10.0)]) is None
    assert quantile(0.9, []) is None


@pytest.mark.parametrize(("limit", "over"), [(0.1, 50), (0.3, 30), (1.0, 0), (0.0, 100), (2, 0)])
def test_observations_over_a_limit(limit: float, over: float) -> None:
    assert above(limit, BUCKETS) == pytest.approx(over)


@rule("R17")
def test_error_rate_is_failed_requests_of_all_requests() -> None:
    found = read(Share((ERRORS,), (REQUESTS,)), window(scrape(0, 0), scrape(5, 40, errors=4)))
    assert isinstance(found, Reading)
    assert (found.value, found.samples, found.bad) == (0.1, 40, 4)


@rule("R17")
def test_absence_of_requests_is_missing_data_and_not_zero_errors() -> None:
    found = read(Share((ERRORS,), (REQUESTS,)), window(scrape(0, 10), scrape(5, 10)))
    assert found == Missing("no request in the window")


@rule("R17")
@pytest.mark.parametrize(
    "measure",
    [
        Share((), (Selector("no_such"),)),
        Quantile(0.9, (Selector("no_such_bucket"),)),
        Mean((Selector("no_such_sum"),), (Selector("no_such_count"),)),
        PerSecond((Selector("no_such"),)),
        Level((Selector("no_such"),)),
    ],
    ids=lambda measure: type(measure).__name__,
)
def test_metric_that_the_server_lacks_is_named(measure: object) -> None:
    found = read(measure, window(scrape(0, 1), scrape(5, 2)))  # type: ignore[arg-type]
    assert isinstance(found, Missing)
    assert "no_such" in found.message


@rule("R17")
def test_pod_that_cannot_be_scraped_is_an_error() -> None:
    found = read(
        PerSecond((REQUESTS,)), Window((), (FailedScrape(3.0, "pod-a", "connection refused"),))
    )
    assert found == Missing("no pod was scraped: pod-a: connection refused", True, "QueryFailed")


def test_percentile_is_taken_over_all_pods_in_the_unit_asked() -> None:
    name = Selector("took_bucket")

    def at(when: float, pod: str, fast: float, slow: float) -> Scrape:
        rows = {
            (("le", "100"),): fast,
            (("le", "+Inf"),): fast + slow,
            (("le", "1000"),): fast + slow,
        }
        return Scrape(pod, when, {name.key: rows})

    rows = window(at(0, "a", 0, 0), at(0, "b", 0, 0), at(5, "a", 90, 0), at(5, "b", 0, 10))
    found = read(Quantile(0.95, (name,), scale=0.001), rows)
    assert isinstance(found, Reading)
    assert found.value == pytest.approx(0.55)
    assert found.samples == 100


def test_gauge_is_averaged_over_time_and_joined_over_pods() -> None:
    name = Selector("queue")
    rows = window(
        *(Scrape(pod, at, {name.key: {(): value}}) for pod, at, value in
          [("a", 0, 2.0), ("a", 5, 4.0), ("b", 0, 7.0)])
    )  # fmt: skip
    values = [read(Level((name,), how), rows) for how in ("Average", "Sum", "Max")]
    assert [v.value for v in values if isinstance(v, Reading)] == [5.0, 10.0, 7.0]


@rule("R17", "R31")
def test_thinned_window_keeps_the_increase_of_counters() -> None:
    scrapes = [
        Scrape(pod, float(at), {"c": {(("n", str(n)),): float(at * 10) for n in range(10)}})
        for at in range(100)
        for pod in ("a", "b")
    ]
    kept = thinned(scrapes, 300)
    assert size(kept) <= 300
    assert increase(Window(kept), "c") == increase(Window(tuple(scrapes)), "c") == 19_800
    assert [s.at for s in kept] == sorted(s.at for s in kept)
    assert thinned(scrapes, 2_000) == tuple(scrapes)
    assert thinned(scrapes, 39) == (), "the oldest and newest of both pods have 40"
