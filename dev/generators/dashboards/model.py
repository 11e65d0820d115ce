"""The dashboard of one model: its traffic, its pods, what its checks measure, and its rollbacks."""

from __future__ import annotations

from generators.dashboards.panels import Json, Panel, annotation, row, variable
from generators.dashboards.panels import dashboard as assembled

_MODEL = 'namespace="$namespace", name="$name"'


def _series(metric: str, more: str = "") -> str:
    return f"{metric}{{{_MODEL}{more}}}"


def _max(by: str, metric: str, more: str = "") -> str:
    """Returns PromQL for a gauge of the model: one series, also when the leader has changed."""
    return f"max by ({by}) ({_series(metric, more)})"


def _events(metric: str, by: str, more: str = "") -> str:
    """Returns PromQL that has a value for two minutes after an event.

    A series begins with its first event, which `increase` does not count. A series that a failed
    scrape interrupted is not a new one.
    """
    series = _series(metric, more)
    return (
        f"sum by ({by}) (increase({series}[2m]) > 0 "
        f"or ({series} unless max_over_time({series}[1h] offset 2m)))"
    )


def _roles(metric: str) -> str:
    return _max("role", f"canarium_modeldeployment_{metric}")


_PERCENT = {"min": 0, "max": 100}
_STATES = {"showValue": "never", "mergeValues": True}


def dashboard() -> Json:
    """Returns the dashboard as JSON."""
    check = ', check=~"$check"'
    outcome = "canarium_modeldeployment_rollouts_total"
    return assembled(
        "canarium-model",
        "Canarium / Model",
        [
            Panel(
                "Promoted version",
                (
                    (
                        _max(
                            "version, revision, runtime, strategy, router",
                            "canarium_modeldeployment_info",
                        ),
                        "{{version}}",
                    ),
                ),
                "table",
                height=5,
            ),
            Panel(
                "Phase",
                ((_max("phase", "canarium_modeldeployment_phase"), "{{phase}}"),),
                "state-timeline",
                height=5,
                options=_STATES,
            ),
            Panel(
                "Effective percentage of the traffic",
                ((_roles("effective_weight_percent"), "{{role}}"),),
                unit="percent",
                defaults=_PERCENT,
            ),
            Panel(
                "Requested percentage of the traffic",
                ((_roles("weight_percent"), "{{role}}"),),
                unit="percent",
                defaults=_PERCENT,
            ),
            Panel(
                "Pods",
                (
                    (_roles("ready_replicas"), "{{role}} ready"),
                    (_roles("replicas"), "{{role}} desired"),
                ),
            ),
            Panel(
                "Step of the rollout",
                (
                    ("max(" + _series("canarium_modeldeployment_step") + ")", "step"),
                    ("max(" + _series("canarium_modeldeployment_steps") + ")", "of"),
                ),
            ),
            Panel(
                "Waiting for",
                ((_max("reason", "canarium_modeldeployment_hold_seconds"), "{{reason}}"),),
                unit="s",
            ),
            Panel(
                "Conditions",
                (
                    (
                        _max("type", "canarium_modeldeployment_condition", ', status="True"'),
                        "{{type}}",
                    ),
                ),
                "state-timeline",
                text="Conditions that are True.",
                options=_STATES,
            ),
            row("Checks"),
            Panel(
                "Check $check",
                (
                    (_max("check", "canarium_check_value", check), "{{check}} candidate"),
                    (_max("check", "canarium_check_stable_value", check), "{{check}} stable"),
                    (_max("check", "canarium_check_bound", check), "{{check}} bound"),
                ),
                more={"repeat": "check", "repeatDirection": "h", "maxPerRow": 2},
            ),
            Panel(
                "Samples of the candidate",
                ((_max("check", "canarium_check_samples", check), "{{check}}"),),
            ),
            Panel(
                "Verdicts",
                (
                    (
                        _max("check, verdict", "canarium_check_verdict", check),
                        "{{check}} {{verdict}}",
                    ),
                ),
                "state-timeline",
                options=_STATES,
            ),
            row("History"),
            Panel(
                "Rollbacks by reason",
                ((f"sum by (reason) ({_series('canarium_rollbacks_total')})", "{{reason}}"),),
                text="Since the operator leads.",
            ),
            Panel(
                "Ended rollouts by outcome",
                ((f"sum by (outcome) ({_series(outcome)})", "{{outcome}}"),),
                text="Since the operator leads.",
            ),
        ],
        [
            variable(
                "namespace", "label_values(canarium_modeldeployment_info, namespace)", "Namespace"
            ),
            variable(
                "name",
                'label_values(canarium_modeldeployment_info{namespace="$namespace"}, name)',
                "Model",
            ),
            variable(
                "check",
                f"label_values({_series('canarium_check_value')}, check)",
                "Check",
                all_values=True,
            ),
        ],
        [
            annotation(
                "Rollbacks",
                _events("canarium_rollbacks_total", "reason"),
                "red",
                "Rolled back: {{reason}}",
            ),
            annotation(
                "Promotions", _events(outcome, "outcome", ', outcome="Promoted"'), "green", ""
            ),
        ],
    )
