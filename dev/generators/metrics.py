"""`docs/reference/metrics.md`: every metric with type, labels and meaning, from the registries."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from prometheus_client import CollectorRegistry

from canarium.notifier.metrics import NotifierMetrics
from canarium.telemetry.metrics import OperatorMetrics
from canarium.telemetry.model_families import FAMILIES
from canarium.telemetry.operator_state import State

_HEAD = """<!-- Made from operator/canarium/telemetry by `make generate`: do not edit. -->
# Metrics

Every metric of the operator and of the notifier, at port `metrics.port` (9090) under `/metrics`.
Durations are in seconds. [Alerts](alerts.md) explains the alerts that the chart makes from them.

[Monitoring](../guides/monitoring.md) shows how to scrape them. A scrape configuration needs
`honor_labels: true`: the label `namespace` is the model's, and without this option Prometheus
renames it to `exported_namespace`.
"""
_MODELS = """
## Metrics of each model

They have the labels `namespace` and `name`, and those in the table. Only the operator that leads
exports them ([with shards](../guides/leaders.md), the one that leads the model's namespace), and a
deleted model has none.

`metrics.perModel` (`--metrics-per-model`) is on by default. A settled model has 12 series, one
during a rollout or a bake 17 to 19, and a rollout has up to 5 more for each check: 1,000 settled
models have 12,000 series. Each outcome of rollouts (at most 6) and each reason of rollbacks that
a model had since the operator leads adds one. The operator keeps 1.2 to 1.7 KB of memory per model
for them, and a scrape needs 1.4 to 2.6 KB of text per model. With 10,000 models or a small
Prometheus, set `metrics.perModel: false`, or drop what you do not need by `metricRelabelings`.

Values come from the status, and those of checks from the last evaluation. During a bake or a
rollout, series with the role `candidate` or `previous` appear and disappear.
"""
_OPERATOR = """
## Metrics of the operator

`canarium_rollback_delay_seconds` ends when the API server has accepted the write. A Service router
has moved the traffic as soon as the nodes have the new endpoints, a gateway when it has accepted
the route.
"""
_CONTROLLER = """
## Names of controller-runtime

Dashboards and alerts for operators in Go expect these names. They repeat metrics above, where the
meaning is the same: one controller and one queue, both named `modeldeployment`, so that their
number does not grow with the models. A success includes reconciles that schedule another one
(`requeue_after` in Go), and an error is always retried with backoff. Buckets are those of ours.
To keep only one of both, drop `controller_runtime_.*|workqueue_.*|rest_client_.*` by
`metrics.serviceMonitor.metricRelabelings`.
"""
_NOTIFIER = """
## Metrics of the notifier

Only with `notifications.enabled`: see [notifications](../guides/notifications.md).
"""
_TABLE = "\n| Metric | Type | Labels | Meaning |\n|---|---|---|---|\n"
_OURS = ("canarium_", "process_")
Row = tuple[str, str, tuple[str, ...], str]


def page() -> str:
    """Returns the page's text."""
    operator, notifier = OperatorMetrics(), NotifierMetrics()
    operator.describe(
        State(lambda: 0, lambda: 0, lambda: 0, lambda: True, lambda: (), shards=lambda: 0)
    )
    notifier.describe(lambda: ())
    models = ((f.name, f.kind, ("namespace", "name", *f.labels), f.text) for f in FAMILIES)
    registered = list(_registered(operator.registry))
    return (
        f"{_HEAD}{_MODELS}{_table(models)}"
        f"{_OPERATOR}{_table(row for row in registered if row[0].startswith(_OURS))}"
        f"{_CONTROLLER}{_table(row for row in registered if not row[0].startswith(_OURS))}"
        f"{_NOTIFIER}{_table(_registered(notifier.registry))}"
    )


def _table(rows: Iterable[Row]) -> str:
    return _TABLE + "".join(
        f"| `{name}` | {kind} | {', '.join(f'`{one}`' for one in labels) or '–'} | {text} |\n"
        for name, kind, labels, text in rows
    )


def _registered(registry: CollectorRegistry) -> Iterator[Row]:
    """Returns the metrics of a registry by the names that Prometheus stores."""
    # Neither a family nor a registry has a public way to the names of labels.
    collectors = registry._names_to_collectors
    for family in sorted(
        registry.collect(), key=lambda one: (one.name[:8] == "process_", one.name)
    ):
        source = family if hasattr(family, "_labelnames") else collectors.get(family.name)
        labels = tuple(getattr(source, "_labelnames", ()))
        if family.type == "info":
            labels = tuple(family.samples[0].labels)
        suffix = {"counter": "_total", "info": "_info"}.get(family.type, "")
        kind = "gauge" if family.type == "info" else family.type
        yield family.name + suffix, kind, labels, family.documentation.rstrip(".")
