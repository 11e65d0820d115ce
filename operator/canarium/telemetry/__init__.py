"""Telemetry: what the process publishes about itself. Metrics, logs, and the HTTP server for both.

Reading order: `metrics` (every metric, with its type and labels), `rolling_max` (the longest stall
of the event loop in a window), `logs` (the formats of log lines), `log_context` (the model and the
reconcile that a line is about), `http_server` (a minimal server,
also for probes) and `metrics_server` (the page that Prometheus scrapes). Metrics that name a model:
`model_families` (the list), `model_state` (what is read of an object) and `model_series` (their
text).

Invariants: nothing here takes part in decisions: callers pass numbers, and functions that read
state at each scrape. Labels of `metrics` have few values. Only in `model_series`, which an option
disables, does the number of series grow with the number of models; a deleted model leaves none.
Text of other systems is quoted before it reaches a log (`canarium.untrusted`).

Sources of truth: this package for names and types of metrics. docs/reference/metrics.md is
generated from it; the alerts of the chart refer to it.
"""
