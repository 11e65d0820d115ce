"""The metrics of a server, with every default filled in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from canarium.api.server import Latency, Metrics, Series

Labels = tuple[tuple[str, str], ...]
_SCALE = {"Seconds": 1.0, "Milliseconds": 0.001, "Microseconds": 0.000001}


@dataclass(frozen=True, slots=True)
class EffectiveCounters:
    """Counters that are summed; without names, the server does not measure this."""

    names: tuple[str, ...] = ()
    labels: Labels = ()


@dataclass(frozen=True, slots=True)
class EffectiveLatency:
    """The metric for the duration of requests; `scale` times its value is in seconds."""

    name: str
    kind: Literal["Histogram", "Summary", "Total"]
    scale: float
    labels: Labels


@dataclass(frozen=True, slots=True)
class EffectiveMetrics:
    """Where the metrics of a server are, and their names."""

    path: str
    #: None: the port of the server.
    port: int | None
    requests: EffectiveCounters
    errors: EffectiveCounters
    #: None: the server does not measure it.
    latency: EffectiveLatency | None


def effective_metrics(raw: Mapping[str, Any] | None) -> EffectiveMetrics:
    """Returns the raw `metrics` of a server with their defaults. Raises ValidationError."""
    metrics = Metrics.model_validate(raw or {})
    return EffectiveMetrics(
        path=metrics.path or "/metrics",
        port=metrics.port,
        requests=_counters(metrics.requests),
        errors=_counters(metrics.errors),
        latency=_latency(metrics.latency),
    )


def sorted_labels(labels: Mapping[str, str] | None) -> Labels:
    """Returns the patterns of label values, by their labels."""
    return tuple(sorted((labels or {}).items()))


def _counters(series: Series | None) -> EffectiveCounters:
    if series is None:
        return EffectiveCounters()
    return EffectiveCounters(tuple(series.names or ()), sorted_labels(series.labels))


def _latency(latency: Latency | None) -> EffectiveLatency | None:
    if latency is None or latency.name is None:
        return None
    return EffectiveLatency(
        name=latency.name,
        kind=latency.kind or "Histogram",
        scale=_SCALE[latency.unit or "Seconds"],
        labels=sorted_labels(latency.labels),
    )
