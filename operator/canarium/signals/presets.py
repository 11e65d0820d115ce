"""Maps preset metrics to the series that a runtime declares, or that LLM servers have."""

from __future__ import annotations

from canarium.api.analysis import Preset
from canarium.api.effective_analysis import EffectiveSeries
from canarium.api.effective_metrics import EffectiveCounters, EffectiveLatency, EffectiveMetrics
from canarium.api.reasons import CheckReason
from canarium.core.evidence.measures import (
    Level,
    Mean,
    Measure,
    Missing,
    PerSecond,
    Quantile,
    Selector,
    Selectors,
    Share,
)

_QUANTILES = {"P50": 0.5, "P95": 0.95, "P99": 0.99}

#: Names of servers for large language models: vLLM, Text Generation Inference, llama.cpp.
_FIRST_TOKEN = (Selector("vllm:time_to_first_token_seconds_bucket"),)
_TOKENS = (
    Selector("vllm:generation_tokens_total"),
    Selector("tgi_request_generated_tokens_sum"),
    Selector("llamacpp:tokens_predicted_total"),
)
_QUEUE = (
    Selector("vllm:num_requests_waiting"),
    Selector("tgi_queue_size"),
    Selector("llamacpp:requests_deferred"),
)
_CACHE = (
    Selector("vllm:kv_cache_usage_perc"),
    Selector("vllm:gpu_cache_usage_perc"),
    Selector("llamacpp:kv_cache_usage_ratio"),
)


def measure_of(preset: Preset, metrics: EffectiveMetrics) -> Measure | Missing:
    """Returns the measure of `preset` on a server with `metrics`."""
    if preset == "ErrorRate":
        bad, total = _series(metrics.errors), _series(metrics.requests)
        if not bad:
            return _unavailable(preset, "errors")
        return Share(bad, total) if total else _unavailable(preset, "requests")
    if preset == "RequestRate":
        total = _series(metrics.requests)
        return PerSecond(total) if total else _unavailable(preset, "requests")
    if preset == "TokensPerSecond":
        return PerSecond(_TOKENS)
    if preset == "QueueDepth":
        return Level(_QUEUE)
    if preset == "CacheUse":
        return Level(_CACHE, "Max")
    if preset.startswith("TimeToFirstToken"):
        return Quantile(_QUANTILES[preset.removeprefix("TimeToFirstToken")], _FIRST_TOKEN)
    return _latency(preset, metrics.latency)


def _latency(preset: Preset, latency: EffectiveLatency | None) -> Measure | Missing:
    if latency is None:
        return _unavailable(preset, "latency")
    kind, scale, labels = latency.kind, latency.scale, latency.labels
    if preset == "LatencyMean" and kind != "Total":
        parts = [(Selector(f"{latency.name}_{end}", labels),) for end in ("sum", "count")]
        return Mean(parts[0], parts[1], scale)
    if kind != "Histogram" or preset == "LatencyMean":
        text = f"{preset}: the runtime measures latency as a {kind}, without percentiles"
        return Missing(text, error=True, reason=CheckReason.NO_SUCH_METRIC)
    buckets = (Selector(f"{latency.name}_bucket", labels),)
    return Quantile(_QUANTILES[preset.removeprefix("Latency")], buckets, scale)


def own_series(series: EffectiveSeries) -> Measure:
    """Returns the measure of a metric that a user names."""
    labels = series.labels
    if series.kind == "Counter":
        return PerSecond((Selector(series.name, labels),))
    if series.kind == "Gauge":
        return Level((Selector(series.name, labels),), series.aggregation)
    return Quantile(series.quantile, (Selector(f"{series.name}_bucket", labels),))


def _series(counters: EffectiveCounters) -> Selectors:
    return tuple(Selector(name, counters.labels) for name in counters.names)


def _unavailable(preset: str, what: str) -> Missing:
    text = (
        f"{preset}: the runtime declares no metric for {what}: set runtime.metrics.{what}, "
        "or use series"
    )
    return Missing(text, error=True, reason=CheckReason.NO_SUCH_METRIC)
