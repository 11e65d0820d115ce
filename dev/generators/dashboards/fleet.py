"""The dashboard of all models: what needs attention, and the four figures of DORA."""

from __future__ import annotations

from generators.dashboards.panels import Json, Panel, row, variable
from generators.dashboards.panels import dashboard as assembled

_IN = '{namespace=~"$namespace"}'
_PHASE = f"max by (namespace, name, phase) (canarium_modeldeployment_phase{_IN})"
_LEAD = 'canarium_rollout_duration_seconds_bucket{outcome="Promoted"}'


def _outages(offset: str = "") -> str:
    """Returns PromQL for the models without ready pods of a promoted version."""
    return (
        "max by (namespace, name) (canarium_modeldeployment_condition"
        f'{{namespace=~"$namespace", type="Available", status="False"}}{offset})'
    )


def _ended(outcomes: str, by: str = "") -> str:
    """Returns PromQL for the number of rollouts that ended in the range; none if there are none.

    A series begins with its first event, which `increase` does not count.
    """
    series = (
        f'canarium_modeldeployment_rollouts_total{{namespace=~"$namespace", outcome=~"{outcomes}"}}'
    )
    return (
        f"sum by ({by}) ((last_over_time({series}[$__range]) unless {series} offset $__range) "
        f"or increase({series}[$__range]) > 0)"
    )


def _stat(title: str, query: str, *, unit: str = "short", none: str = "0", text: str = "") -> Panel:
    return Panel(title, ((query, ""),), "stat", unit=unit, none=none, text=text, width=6, height=4)


def dashboard() -> Json:
    """Returns the dashboard as JSON."""
    link = (
        "/d/canarium-model?var-namespace=${__data.fields.namespace}&var-name=${__data.fields.name}"
    )
    failed = _ended("RolledBack|Undone|Failed")
    decided = _ended("Promoted|RolledBack|Failed")
    return assembled(
        "canarium-fleet",
        "Canarium / Fleet",
        [
            _stat(
                "Models", f"count(max by (namespace, name) (canarium_modeldeployment_info{_IN}))"
            ),
            _stat(
                "Need attention",
                "count(max by (namespace, name) (canarium_modeldeployment_phase"
                '{namespace=~"$namespace", phase=~"Failed|Degraded|Invalid|RolledBack"}))',
                text="Failed, Degraded, Invalid or RolledBack.",
            ),
            _stat(
                "Rollouts in progress",
                f"count(max by (namespace, name) (canarium_modeldeployment_step{_IN}))",
            ),
            _stat("Without ready pods", f"count({_outages()})"),
            row("DORA: what the selected time range shows"),
            _stat(
                "Deployment frequency, per day",
                f"{_ended('Promoted')} * 86400 / $__range_s",
                text="Promotions of a version per day.",
            ),
            _stat(
                "Lead time, median",
                f"histogram_quantile(0.5, sum by (le) (increase({_LEAD}[$__range])))",
                unit="s",
                none="no promotion",
                text="From the creation of a revision to its promotion, of all namespaces. What "
                "precedes the change of the spec, such as training and review, is not known here.",
            ),
            _stat(
                "Change failure rate",
                f"({failed} or vector(0)) / {decided}",
                unit="percentunit",
                none="no rollout",
                text="Rollouts that were rolled back, undone after the promotion, or failed as the "
                "first version, per promoted, rolled back or failed rollout. Replaced and "
                "withdrawn ones do not count.",
            ),
            _stat(
                "Time to restore, mean",
                f"15 * sum(sum_over_time({_outages()}[$__range:15s])) / "
                f"sum(sum_over_time(({_outages()} unless {_outages(' offset 15s')})"
                "[$__range:15s]))",
                unit="s",
                none="no outage",
                text="Time without ready pods of a promoted version, per outage, to 15 seconds. A "
                "rollback during a rollout causes none.",
            ),
            Panel(
                "Promotions by namespace",
                ((_ended("Promoted", "namespace"), "{{namespace}}"),),
                "table",
                options={"sortBy": [{"displayName": "Value", "desc": True}]},
                text="In the selected time range.",
            ),
            Panel(
                "Rollbacks and failures by model",
                ((_ended("RolledBack|Undone|Failed", "namespace, name, outcome"), ""),),
                "table",
                none="none",
                defaults={"links": [{"title": "Open the model", "url": link}]},
                text="In the selected time range.",
            ),
            Panel(
                "Delay of rollbacks",
                tuple(
                    (
                        f"histogram_quantile({q}, sum by (le) (increase("
                        "canarium_rollback_delay_seconds_bucket[$__range])))",
                        name,
                    )
                    for q, name in ((0.5, "p50"), (0.99, "p99"))
                ),
                "stat",
                unit="s",
                none="no rollback",
                text="From the change or evaluation that shows a failure to the accepted write "
                "that moves the traffic, of all namespaces.",
            ),
            Panel(
                "Ended rollouts by outcome",
                (
                    (
                        "sum by (outcome) (increase(canarium_rollouts_total[$__rate_interval]))",
                        "{{outcome}}",
                    ),
                ),
                text="Of all namespaces.",
            ),
            row("Models"),
            Panel("Models by phase", ((f"count by (phase) ({_PHASE})", "{{phase}}"),)),
            Panel(
                "Waiting rollouts",
                (
                    (
                        "max by (namespace, name, reason) "
                        f"(canarium_modeldeployment_hold_seconds{_IN})",
                        "{{namespace}}/{{name}}: {{reason}}",
                    ),
                ),
                unit="s",
            ),
            Panel(
                "Models",
                (
                    (
                        f"{_PHASE} * on (namespace, name) group_left "
                        "(version, revision, runtime, strategy, router) "
                        "max by (namespace, name, version, revision, runtime, strategy, router) "
                        f"(canarium_modeldeployment_info{_IN})",
                        "",
                    ),
                ),
                "table",
                width=24,
                height=12,
                defaults={"links": [{"title": "Open the model", "url": link}]},
            ),
        ],
        [
            variable(
                "namespace",
                "label_values(canarium_modeldeployment_info, namespace)",
                "Namespace",
                all_values=True,
            )
        ],
    )
