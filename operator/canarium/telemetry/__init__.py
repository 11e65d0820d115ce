"""Telemetry: what the process publishes about itself. Metrics, logs, and the HTTP server for both.

Reading order: `metrics` (every metric, with its type and labels), `rolling_max` (the longest stall
of the event loop in a window), `logs` (the format of log lines), `http_server` (a minimal server,
also for probes) and `metrics_server` (the page that Prometheus scrapes).

Invariants: nothing here knows models or decisions: callers pass numbers, and functions that read
state at each scrape. Labels have few values, so that the number of series does not grow with the
number of models. Text of other systems is quoted before it reaches a log (`canarium.untrusted`).

Sources of truth: this package for names and types of metrics; docs/reference/ and the alerts of the
chart refer to them.
"""
