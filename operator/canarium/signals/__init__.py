"""Signals: facts about how versions respond, gathered in the background for decisions.

A plan requests what it needs; `monitor` starts and stops the work, and wakes the model when a fact
is new. `analyzer` measures the checks of an analysis: pods' own metrics (`metrics`, `presets`),
Prometheus, JSON over HTTP (`json_metric`), adapters (`external_metrics`), replayed requests
(`replay`). `smoke` runs smoke tests, with bodies from `smoke_bodies`. `pod_events` reads the Events
of stuck pods. All requests use `http_client` through `access`.

Invariants:

- Nothing here decides: a source returns a value, or the reason why there is none.
- Missing evidence is not a failure of the version, and never a success (R17).
- Requests go only to addresses that `addresses` allows; messages contain no secrets (`redaction`).
- Memory, connections and evaluations are bounded per namespace (R31).
"""
