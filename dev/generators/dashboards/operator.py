"""The dashboard of the operator: whether it leads, decides in time, and reaches the API server."""

from __future__ import annotations

from generators.dashboards.panels import Json, Panel, row
from generators.dashboards.panels import dashboard as assembled

_LEADER = "on (namespace, pod) (canarium_leader == 1)"
_OURS = "and on (namespace, pod) canarium_leader"


def _quantile(q: float, metric: str, by: str = "") -> str:
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({q}, sum by ({labels}) (rate({metric}_bucket[$__rate_interval])))"


def _seconds(title: str, metric: str, text: str) -> Panel:
    queries = tuple((_quantile(q, metric), name) for q, name in ((0.5, "p50"), (0.99, "p99")))
    return Panel(title, queries, unit="s", text=text)


def dashboard() -> Json:
    """Returns the dashboard as JSON."""
    queue = (
        ("sum by (pod) (canarium_queue_depth)", "{{pod}} waiting"),
        ("max by (pod) (canarium_queue_oldest_seconds)", "{{pod}} oldest, in seconds"),
    )
    api = "rate(canarium_api_requests_total"
    return assembled(
        "canarium-operator",
        "Canarium / Operator",
        [
            Panel(
                "Leader",
                (("canarium_leader", "{{pod}}"),),
                text="Exactly one pod is 1; with scope.shards, each pod that leads.",
            ),
            Panel(
                "Models by phase",
                ((f"sum by (phase) (canarium_models and {_LEADER})", "{{phase}}"),),
            ),
            row("Decisions"),
            _seconds(
                "Time of a decision and its writes",
                "canarium_reconcile_duration_seconds",
                "A rollback is decided and written within one of them.",
            ),
            Panel(
                "Decisions by result",
                (
                    (
                        "sum by (result) (rate(canarium_reconcile_duration_seconds_count"
                        "[$__rate_interval]))",
                        "{{result}}",
                    ),
                ),
                unit="ops",
                text="Retried: the API server refused a write. Failed: a bug; see the log.",
            ),
            Panel("Queue", queue),
            Panel(
                "Wait for a worker, p99",
                ((_quantile(0.99, "canarium_queue_wait_seconds", "urgency"), "{{urgency}}"),),
                unit="s",
            ),
            _seconds(
                "Delay of rollbacks",
                "canarium_rollback_delay_seconds",
                "From the change or evaluation that shows a failure to the accepted write that "
                "moves the traffic.",
            ),
            Panel(
                "Commands by result",
                (
                    (
                        "sum by (command, result) (increase(canarium_commands_total"
                        "[$__rate_interval]))",
                        "{{command}} {{result}}",
                    ),
                ),
            ),
            row("API server"),
            Panel(
                "Requests",
                ((f"sum by (verb, resource) ({api}[$__rate_interval]))", "{{verb}} {{resource}}"),),
                unit="reqps",
            ),
            Panel(
                "Refused or unanswered requests",
                ((f'sum by (code) ({api}{{code!~"2.."}}[$__rate_interval]))', "{{code}}"),),
                unit="reqps",
                text="Code 0: no answer.",
            ),
            Panel(
                "Silence of the quietest watch",
                (("max by (pod) (canarium_oldest_watch_seconds)", "{{pod}}"),),
                unit="s",
            ),
            Panel(
                "Notifications: age of the oldest",
                (("max by (sink) (canarium_notifications_oldest_seconds)", "{{sink}}"),),
                unit="s",
                text="Only with notifications.enabled.",
            ),
            row("Process"),
            Panel(
                "Lag of the event loop",
                (
                    (_quantile(0.99, "canarium_event_loop_lag_seconds", "pod"), "{{pod}} p99"),
                    ("max by (pod) (canarium_event_loop_lag_max_seconds)", "{{pod}} maximum"),
                ),
                unit="s",
            ),
            Panel(
                "CPU",
                ((f"rate(process_cpu_seconds_total[$__rate_interval]) {_OURS}", "{{pod}}"),),
                text="Cores. One process uses at most one.",
            ),
            Panel("Memory", ((f"process_resident_memory_bytes {_OURS}", "{{pod}}"),), unit="bytes"),
            Panel(
                "Versions",
                (("count by (version) (canarium_build_info)", "{{version}}"),),
                text="Pods of each version of the operator.",
            ),
        ],
    )
