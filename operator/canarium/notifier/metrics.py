"""Metrics of the notifier, in the Prometheus format. All durations are in seconds."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram, Info, ProcessCollector
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from canarium import VERSION

_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 86400)


class NotifierMetrics:
    """A separate registry, so that two notifiers in one process do not mix."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        Info("canarium_build", "The notifier", registry=self.registry).info({"version": VERSION})
        self._delay = Histogram(
            "canarium_notification_delay_seconds",
            "From a transition to its delivery",
            ["sink"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._took = Histogram(
            "canarium_notification_request_duration_seconds",
            "One delivery that succeeded",
            ["sink"],
            buckets=_BUCKETS,
            registry=self.registry,
        )
        self._failures = Counter(
            "canarium_notification_failures",
            "Attempts that failed and are repeated, by reason: Refused, Unreachable",
            ["sink", "reason"],
            registry=self.registry,
        )
        self._dropped = Counter(
            "canarium_notifications_dropped",
            "Notifications that are not delivered, by reason: Expired, Overflow",
            ["sink", "reason"],
            registry=self.registry,
        )

    def delivered(self, sink: str, took: float, delay: float) -> None:
        """Counts a delivery that took `took` seconds, `delay` seconds after its transition."""
        self._took.labels(sink).observe(took)
        self._delay.labels(sink).observe(max(delay, 0.0))

    def failed(self, sink: str, reason: str) -> None:
        """Counts an attempt that failed."""
        self._failures.labels(sink, reason).inc()

    def dropped(self, sink: str, reason: str, count: int = 1) -> None:
        """Counts notifications that will not be delivered."""
        self._dropped.labels(sink, reason).inc(count)

    def describe(self, pending: Callable[[], Iterable[tuple[str, int, float]]]) -> None:
        """Registers the gauges: per sink, how many are undelivered, and the age of the oldest."""
        self.registry.register(_Pending(pending))


class _Pending(Collector):
    def __init__(self, pending: Callable[[], Iterable[tuple[str, int, float]]]) -> None:
        self._pending = pending

    def collect(self) -> Iterable[Metric]:
        count = GaugeMetricFamily(
            "canarium_notifications_pending", "Undelivered notifications", labels=["sink"]
        )
        age = GaugeMetricFamily(
            "canarium_notifications_oldest_seconds",
            "Age of the oldest undelivered notification",
            labels=["sink"],
        )
        for sink, pending, oldest in self._pending():
            count.add_metric([sink], pending)
            age.add_metric([sink], oldest)
        return count, age
