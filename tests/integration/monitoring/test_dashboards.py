"""Every query of every dashboard, evaluated by the Prometheus that scraped a real rollout."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from integration.conftest import ROOT
from integration.monitoring.conftest import NAMESPACE, Story

FOLDER = ROOT / "charts" / "canarium" / "files" / "dashboards"
DASHBOARDS = {path.stem: json.loads(path.read_text()) for path in sorted(FOLDER.glob("*.json"))}
PANELS = [
    pytest.param(panel, id=f"{name}: {panel['title']}")
    for name, dashboard in DASHBOARDS.items()
    for panel in dashboard["panels"]
    if panel["type"] != "row"
]
#: Panels without a value in the story, and why.
EMPTY = {"Notifications: age of the oldest": "no notifier runs"}


def expanded(query: str, story: Story) -> str:
    """A query with the values that Grafana puts in place of its variables."""
    seconds = int(story.end - story.start) + 60
    for variable, value in (
        ("$__rate_interval", "4s"),
        ("$__range_s", str(seconds)),
        ("$__range", f"{seconds}s"),
        ("$namespace", NAMESPACE),
        ("$name", "fraud"),
        ("$check", ".*"),
    ):
        query = query.replace(variable, value)
    assert "$" not in query
    return query


def during(story: Story, query: str) -> list[dict[str, Any]]:
    return story.prometheus.range(expanded(query, story), story.start, story.end)


def single(story: Story, title: str) -> float:
    """The value of a panel of the fleet at the end of the story."""
    panels = (p for p in DASHBOARDS["fleet"]["panels"] if p["type"] == "stat")
    (panel,) = (p for p in panels if p["title"] == title)
    query = expanded(panel["targets"][0]["expr"], story)
    (series,) = story.prometheus.instant(query, story.end)
    return float(series["value"][1])


def finite(series: list[dict[str, Any]]) -> bool:
    values = (value for one in series for _, value in one["values"])
    return any(value not in ("NaN", "+Inf", "-Inf") for value in values)


@pytest.mark.parametrize("panel", PANELS)
def test_panel_shows_values_of_a_rollout(story: Story, panel: dict[str, Any]) -> None:
    for target in panel["targets"]:
        series = during(story, target["expr"])
        if panel["title"] in EMPTY:
            assert series == []
            continue
        assert finite(series), target["expr"]
        for label in re.findall(r"{{(\w+)}}", target["legendFormat"]):
            assert any(one["metric"].get(label) for one in series), (label, target["expr"])


#: Queries as dashboards for operators in Go have them.
OF_GO = (
    'rate(controller_runtime_reconcile_total{result="success"}[$__rate_interval])',
    "rate(controller_runtime_reconcile_errors_total[$__rate_interval])",
    "histogram_quantile(0.95, sum(rate(controller_runtime_reconcile_time_seconds_bucket"
    "[$__range])) by (le, controller))",
    "controller_runtime_active_workers / controller_runtime_max_concurrent_reconciles",
    "sum(rate(workqueue_adds_total[$__rate_interval])) by (name)",
    "histogram_quantile(0.99, rate(workqueue_queue_duration_seconds_bucket[$__range]))",
    "workqueue_depth + workqueue_unfinished_work_seconds",
    'sum by (host) (rate(rest_client_requests_total{code=~"2..", method="PATCH"}[$__range]))',
    'leader_election_master_status{name="canarium"} == 1',
)


@pytest.mark.parametrize("query", OF_GO)
def test_query_of_a_dashboard_for_controller_runtime_has_values(story: Story, query: str) -> None:
    assert finite(during(story, query))


def test_metrics_of_all_queries_exist() -> None:
    page = (ROOT / "docs" / "reference" / "metrics.md").read_text()
    known = set(re.findall(r"(?m)^\| `(\w+)`", page))
    texts = [path.read_text() for path in FOLDER.glob("*.json")]
    used = {name for text in texts for name in re.findall(r"\b(?:canarium|process)_\w+", text)}
    assert used
    assert {re.sub(r"_(bucket|count)$", "", name) for name in used} <= known


@pytest.mark.parametrize("name", DASHBOARDS)
def test_variables_have_the_values_of_the_models(story: Story, name: str) -> None:
    expected = {"namespace": NAMESPACE, "name": "fraud", "check": "errors"}
    for variable in DASHBOARDS[name]["templating"]["list"]:
        if variable["type"] == "query":
            query = expanded(variable["query"]["query"], story)
            match = re.fullmatch(r"label_values\((.*), (\w+)\)", query)
            assert match, query
            assert expected[variable["name"]] in story.prometheus.values(match[1], match[2])


def test_rollback_and_promotions_are_annotations_of_the_model(story: Story) -> None:
    queries = {a["name"]: a["expr"] for a in DASHBOARDS["model"]["annotations"]["list"]}
    (rollback,) = during(story, queries["Rollbacks"])
    assert rollback["metric"] == {"reason": "AnalysisFailed"}
    first_mark = rollback["values"][0][0]
    (counter,) = during(story, 'canarium_rollbacks_total{name="fraud"}')
    assert first_mark == counter["values"][0][0]
    (promotions,) = during(story, queries["Promotions"])
    assert promotions["metric"] == {"outcome": "Promoted"}
    assert promotions["values"][0][0] < first_mark


def test_fleet_shows_the_figures_of_dora(story: Story) -> None:
    """Two promotions and a rollback of one model, and a first version that failed of another."""
    days = (int(story.end - story.start) + 60) / 86400
    assert single(story, "Models") == 2
    assert single(story, "Need attention") == 2
    assert single(story, "Deployment frequency, per day") * days == pytest.approx(2)
    assert single(story, "Change failure rate") == pytest.approx(2 / 4)
    # Steps and bake of the second version take three seconds; the buckets begin at ten.
    assert 0 < single(story, "Lead time, median") <= 60


def test_delay_of_the_rollback_is_plausible(story: Story) -> None:
    """From the evaluation that fails to the write: more than the write, less than two periods."""
    (count,) = story.prometheus.instant("canarium_rollback_delay_seconds_count", story.end)
    (delay,) = story.prometheus.instant("canarium_rollback_delay_seconds_sum", story.end)
    assert float(count["value"][1]) == 1
    assert 0.001 < float(delay["value"][1]) < 5


def test_job_of_the_guide_scrapes_the_port_of_the_metrics_and_keeps_the_namespace(
    story: Story,
) -> None:
    (up,) = story.prometheus.instant("up", story.end)
    assert (up["metric"]["namespace"], up["metric"]["pod"]) == ("canarium", "canarium-0")
    assert story.prometheus.values("canarium_modeldeployment_info", "namespace") == [NAMESPACE]
    assert story.prometheus.values("canarium_modeldeployment_info", "exported_namespace") == []
