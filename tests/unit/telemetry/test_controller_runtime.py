"""The names of controller-runtime: they have the values of ours, and cost no work per reconcile."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from canarium.engine.queue import Urgency, WorkQueue
from canarium.telemetry.metrics import OperatorMetrics
from canarium.telemetry.operator_state import State

ROOT = Path(__file__).parents[3]
NAMES = {
    "controller_runtime_active_workers",
    "controller_runtime_max_concurrent_reconciles",
    "controller_runtime_reconcile_errors_total",
    "controller_runtime_reconcile_time_seconds",
    "controller_runtime_reconcile_total",
    "leader_election_master_status",
    "rest_client_requests_total",
    "workqueue_adds_total",
    "workqueue_depth",
    "workqueue_longest_running_processor_seconds",
    "workqueue_queue_duration_seconds",
    "workqueue_retries_total",
    "workqueue_unfinished_work_seconds",
    "workqueue_work_duration_seconds",
}


def described(
    metrics: OperatorMetrics | None = None, depth: Callable[[], int] = lambda: 3
) -> OperatorMetrics:
    metrics = metrics or OperatorMetrics()
    metrics.describe(
        State(
            queue_depth=depth,
            queue_oldest=lambda: 0.0,
            oldest_watch=lambda: 0.0,
            leading=lambda: True,
            phases=tuple,
            running=lambda: [0.5, 2.0],
            workers=10,
            server="10.96.0.1:443",
            lease="canarium",
        )
    )
    return metrics


def read(registry: CollectorRegistry) -> dict[tuple[str, ...], float]:
    """Samples by name and by the values of labels, which are sorted by name."""
    return {
        (sample.name, *(sample.labels[name] for name in sorted(sample.labels))): sample.value
        for family in text_string_to_metric_families(generate_latest(registry).decode())
        for sample in family.samples
    }


def test_series_have_the_values_of_ours() -> None:
    metrics = described()
    for took in (0.004, 0.004, 1.5):
        metrics.reconciled("done", took)
    metrics.reconciled("retried", 0.004)
    metrics.reconciled("failed", 0.004)
    metrics.dequeued("FAULT", 0.015)
    metrics.dequeued("CHANGE", 0.015)
    for verb, resource, code in (
        ("list", "pods", 200), ("watch", "pods", 200), ("get", "services", 200),
        ("patch", "services", 409), ("update", "leases", 0),
    ):  # fmt: skip
        metrics.requested(verb, resource, code)
    found = read(metrics.registry)
    ours, queue = "modeldeployment", ("modeldeployment", "modeldeployment")
    expected = {
        ("controller_runtime_reconcile_total", ours, "success"): 3,
        ("controller_runtime_reconcile_total", ours, "error"): 2,
        ("controller_runtime_reconcile_errors_total", ours): 2,
        ("controller_runtime_reconcile_time_seconds_count", ours): 5,
        ("controller_runtime_reconcile_time_seconds_sum", ours): pytest.approx(1.516),
        ("controller_runtime_reconcile_time_seconds_bucket", ours, "0.005"): 4,
        ("controller_runtime_reconcile_time_seconds_bucket", ours, "+Inf"): 5,
        ("controller_runtime_max_concurrent_reconciles", ours): 10,
        ("controller_runtime_active_workers", ours): 2,
        ("workqueue_depth", *queue): 3,
        ("workqueue_adds_total", *queue): 5,
        ("workqueue_retries_total", *queue): 2,
        ("workqueue_queue_duration_seconds_count", *queue): 2,
        ("workqueue_queue_duration_seconds_bucket", ours, "0.02", ours): 2,
        ("workqueue_queue_duration_seconds_bucket", ours, "0.01", ours): 0,
        ("workqueue_work_duration_seconds_count", *queue): 5,
        ("workqueue_unfinished_work_seconds", *queue): 2.5,
        ("workqueue_longest_running_processor_seconds", *queue): 2,
        ("rest_client_requests_total", "200", "10.96.0.1:443", "GET"): 3,
        ("rest_client_requests_total", "409", "10.96.0.1:443", "PATCH"): 1,
        ("rest_client_requests_total", "<error>", "10.96.0.1:443", "PUT"): 1,
        ("leader_election_master_status", "canarium"): 1,
    }
    assert {key: found.get(key) for key in expected} == expected


def test_every_name_is_exported_from_the_start_and_documented() -> None:
    families = {
        family.name + "_total" * (family.type == "counter")
        for family in described().registry.collect()
    }
    assert {one for one in families if not one.startswith(("canarium_", "process_"))} == NAMES
    page = (ROOT / "docs" / "reference" / "metrics.md").read_text()
    assert all(f"| `{name}` |" in page for name in NAMES)


def test_each_add_counts_once_however_the_key_is_taken() -> None:
    metrics = OperatorMetrics()
    queue: WorkQueue[str] = WorkQueue(observer=metrics)
    described(metrics, lambda: queue.depth)

    def adds() -> float:
        return read(metrics.registry)["workqueue_adds_total", "modeldeployment", "modeldeployment"]

    assert adds() == 0
    queue.add("a")
    queue.add("b")
    # Neither a higher urgency nor a key that waits already is another add.
    queue.add("a", Urgency.FAULT)
    assert adds() == 2
    assert [queue.take(), queue.take(), adds()] == ["a", "b", 2]
    queue.add("a")
    queue.add("a")
    queue.done("a")
    assert [adds(), queue.take(), adds()] == [3, "a", 3]


def test_number_of_series_does_not_depend_on_the_models() -> None:
    metrics = described()

    def series() -> int:
        return sum(1 for name, *_ in read(metrics.registry) if not name.startswith("canarium_"))

    metrics.reconciled("done", 0.1)
    metrics.dequeued("FAULT", 0.1)
    before = series()
    for number in range(100):
        metrics.reconciled("done", 0.1)
        metrics.dequeued("FAULT", 0.1)
        metrics.ended(("ml", f"model-{number}"), "RolledBack", "CheckFailed", 1.0)
    assert series() == before < 120


def test_verbs_of_the_client_have_a_method() -> None:
    client = (ROOT / "operator" / "canarium" / "kube" / "http.py").read_text()
    verbs = re.findall(r'\("(\w+)", (?:resource\.plural|_of\(|label\)|"aggregated")', client)
    assert {"list", "get", "read", "watch", "create", "patch", "update", "delete"} == {*verbs}
    metrics = described()
    for verb in verbs:
        metrics.requested(verb, "pods", 200)
    found = read(metrics.registry)
    methods = {key[3] for key in found if key[0] == "rest_client_requests_total"}
    assert methods == {"GET", "PATCH", "PUT", "DELETE", "POST"}
