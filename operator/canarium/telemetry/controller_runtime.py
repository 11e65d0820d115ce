"""The operator's metrics under the names of controller-runtime, where these mean the same.

Dashboards and alerts for operators in Go expect them. All are derived from our own metrics at a
scrape, so that a reconcile costs nothing more. There is one controller and one queue, so their
number does not depend on the models.
"""

from __future__ import annotations

from collections import Counter as Tally
from collections.abc import Iterable

from prometheus_client import Counter, Histogram
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
)
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from canarium.telemetry.operator_state import State

#: Controller-runtime names a controller after its kind, in lower case, and its queue the same.
CONTROLLER = "modeldeployment"
_QUEUE = [CONTROLLER, CONTROLLER]
#: Our verb of a request → its HTTP method; others are the method itself.
_METHODS = {"list": "GET", "read": "GET", "watch": "GET", "create": "POST", "update": "PUT"}
_NO_ANSWER = "<error>"


class ControllerRuntime(Collector):
    """Derives the series from the histograms of reconciles (label `result`) and of waits, the
    counter of requests, and the state."""

    def __init__(
        self, state: State, reconciles: Histogram, waits: Histogram, requests: Counter
    ) -> None:
        self._state, self._reconciles = state, reconciles
        self._waits, self._requests = waits, requests

    def describe(self) -> Iterable[Metric]:
        """Returns the metrics by whose names a scrape can select."""
        return self.collect()

    def collect(self) -> Iterable[Metric]:
        """Yields the families with their current values."""
        yield from self._controller()
        yield from self._queue()
        yield self._rest()
        leader = GaugeMetricFamily(
            "leader_election_master_status",
            "1 in the process that leads by the Lease of that name, as canarium_leader",
            labels=["name"],
        )
        leader.add_metric([self._state.lease], int(self._state.leading()))
        yield leader

    def _controller(self) -> Iterable[Metric]:
        done, failed = self._results()
        total = CounterMetricFamily(
            "controller_runtime_reconcile",
            "Reconciles, by result: success, error",
            labels=["controller", "result"],
        )
        total.add_metric([CONTROLLER, "success"], done)
        total.add_metric([CONTROLLER, "error"], failed)
        yield total
        yield _counter("controller_runtime_reconcile_errors", "Reconciles that are retried", failed)
        yield _histogram(
            "controller_runtime_reconcile_time_seconds",
            "One reconcile, as canarium_reconcile_duration_seconds",
            self._reconciles,
        )
        yield _gauge(
            "controller_runtime_max_concurrent_reconciles",
            "The most reconciles at once",
            self._state.workers,
        )
        yield _gauge(
            "controller_runtime_active_workers",
            "Reconciles that run now",
            len(list(self._state.running())),
        )

    def _queue(self) -> Iterable[Metric]:
        running, depth = list(self._state.running()), self._state.queue_depth()
        dequeued = sum(_count(self._waits).values())
        _, failed = self._results()
        queue = ["name", "controller"]
        yield _gauge("workqueue_depth", "Keys that are due and wait", depth, queue)
        # What was added is either taken or waits.
        yield _counter(
            "workqueue_adds", "Keys that were added to the queue", dequeued + depth, queue
        )
        yield _counter("workqueue_retries", "Keys added again after an error", failed, queue)
        yield _histogram(
            "workqueue_queue_duration_seconds",
            "How long a due key waited, as canarium_queue_wait_seconds",
            self._waits,
            queue,
        )
        yield _histogram(
            "workqueue_work_duration_seconds",
            "How long a key was worked on",
            self._reconciles,
            queue,
        )
        yield _gauge(
            "workqueue_unfinished_work_seconds",
            "Sum of the times that the current reconciles have been running",
            sum(running),
            queue,
        )
        yield _gauge(
            "workqueue_longest_running_processor_seconds",
            "How long the longest of them has been running",
            max(running, default=0.0),
            queue,
        )

    def _rest(self) -> Metric:
        family = CounterMetricFamily(
            "rest_client_requests",
            f"Requests to the API server, by HTTP method and code (`{_NO_ANSWER}`: no answer)",
            labels=["code", "method", "host"],
        )
        totals: Tally[tuple[str, str]] = Tally()
        for sample in _samples(self._requests, "_total"):
            verb, code = sample[0]["verb"], sample[0]["code"]
            method = _METHODS.get(verb, verb.upper())
            totals[_NO_ANSWER if code == "0" else code, method] += int(sample[1])
        for (code, method), value in totals.items():
            family.add_metric([code, method, self._state.server], value)
        return family

    def _results(self) -> tuple[float, float]:
        """Reconciles that succeeded, and those that are retried."""
        counts = _count(self._reconciles)
        done = counts.pop("done", 0.0)
        return done, sum(counts.values())


def _count(histogram: Histogram) -> dict[str, float]:
    """Observations of a histogram by its only label."""
    return {next(iter(labels.values())): value for labels, value in _samples(histogram, "_count")}


def _samples(metric: Histogram | Counter, suffix: str) -> Iterable[tuple[dict[str, str], float]]:
    for family in metric.collect():
        for sample in family.samples:
            if sample.name == family.name + suffix:
                yield sample.labels, sample.value


def _labels(labels: list[str] | None) -> tuple[list[str], list[str]]:
    """Names and values: of the queue, or else of the controller."""
    return (labels, _QUEUE) if labels else (["controller"], [CONTROLLER])


def _gauge(name: str, text: str, value: float, labels: list[str] | None = None) -> Metric:
    names, values = _labels(labels)
    family = GaugeMetricFamily(name, text, labels=names)
    family.add_metric(values, value)
    return family


def _counter(name: str, text: str, value: float, labels: list[str] | None = None) -> Metric:
    names, values = _labels(labels)
    family = CounterMetricFamily(name, text, labels=names)
    family.add_metric(values, value)
    return family


def _histogram(name: str, text: str, source: Histogram, labels: list[str] | None = None) -> Metric:
    """Returns the sum of a histogram over its labels, with its buckets."""
    names, values = _labels(labels)
    buckets: Tally[str] = Tally()
    for bucket, value in _samples(source, "_bucket"):
        buckets[bucket["le"]] += int(value)
    total = sum(value for _, value in _samples(source, "_sum"))
    family = HistogramMetricFamily(name, text, labels=names)
    family.add_metric(values, list(buckets.items()) or [("+Inf", 0)], total)
    return family
