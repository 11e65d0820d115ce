"""What the chart gives Prometheus and its operator, by their own definitions and tool."""

from __future__ import annotations

import copy
import json
import os
import re
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

import foreign_definitions
from canarium.render import labels
from canarium.render.runtime_catalog import built_in
from canarium.telemetry.metrics import OperatorMetrics
from chart.rendering import CHART, ROOT, load, render
from sandbox import binaries, machine
from sandbox.choice import NoMode
from sandbox.options import Options
from sandbox.progress import Progress

HERE = Path(__file__).parent
RULE = "PrometheusRule"
#: Only in releases with shards, in place of CanariumTwoLeaders.
SHARDS = "CanariumShardWithoutLeader"
ALERTS = [
    rule["alert"]
    for group in yaml.safe_load((CHART / "files" / "alerts.yaml").read_text())["groups"]
    for rule in group["rules"]
]
SETS = {
    "ServiceMonitor": (
        "metrics.serviceMonitor.enabled=true",
        'metrics.serviceMonitor.scrapeTimeout="10s"',
        'metrics.serviceMonitor.relabelings=[{"targetLabel":"cluster","replacement":"a"}]',
        'metrics.serviceMonitor.metricRelabelings=[{"action":"labeldrop","regex":"a"}]',
    ),
    "PodMonitor": (
        "metrics.podMonitor.enabled=true",
        'metrics.podMonitor.scrapeTimeout="10s"',
        'metrics.podMonitor.relabelings=[{"targetLabel":"cluster","replacement":"a"}]',
        'metrics.podMonitor.metricRelabelings=[{"action":"labeldrop","regex":"a"}]',
    ),
    "PrometheusRule": ("metrics.prometheusRule.enabled=true",),
}


@cache
def definition(kind: str) -> dict[str, Any]:
    """The schema of a kind in the Prometheus operator's own CRD."""
    folder = binaries.source("prometheus-operator") / "example" / "prometheus-operator-crd"
    return foreign_definitions.definition(folder / f"monitoring.coreos.com_{kind.lower()}s.yaml")


def rendered(kind: str) -> dict[str, Any]:
    return next(body for body in render(*SETS[kind]) if body["kind"] == kind)


@pytest.mark.parametrize("kind", SETS)
def test_object_is_valid_for_the_prometheus_operator(kind: str) -> None:
    body = rendered(kind)
    check = jsonschema.Draft202012Validator(definition(kind))
    assert [f"{e.json_path}: {e.message}" for e in check.iter_errors(body)] == []
    wrong = copy.deepcopy(body)
    wrong["spec"]["speck"] = 1
    assert any("speck" in e.message for e in check.iter_errors(wrong))


@pytest.fixture(scope="module")
def promtool() -> str:
    try:
        machine.ensure({"prometheus": "promtool"}, Options(), Progress(quiet=True))
    except NoMode as missing:
        if os.environ.get("CI"):
            pytest.fail(str(missing))
        pytest.skip(str(missing))
    return "promtool"


@pytest.fixture
def rules(tmp_path: Path) -> Path:
    """The rules as the PrometheusRule carries them."""
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": rendered("PrometheusRule")["spec"]["groups"]}))
    return path


def ran(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_rules_are_valid_for_promtool(promtool: str, rules: Path) -> None:
    done = ran(promtool, "check", "rules", "--lint=all", "--lint-fatal", str(rules))
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(ALERTS) - 1} rules found" in done.stdout


def test_every_alert_fires_for_its_cause(promtool: str, rules: Path, tmp_path: Path) -> None:
    cases = yaml.safe_load((HERE / "alerts_test.yaml").read_text())
    cases["rule_files"] = [str(rules)]
    texts = {
        rule["alert"]: rule["annotations"]
        for group in yaml.safe_load(rules.read_text())["groups"]
        for rule in group["rules"]
    }
    tested = set()
    for case in cases["tests"]:
        for question in case["alert_rule_test"]:
            for alert in question["exp_alerts"]:
                tested.add(question["alertname"])
                # promtool checks texts with a template when it evaluates them.
                alert["exp_annotations"] = filled(texts[question["alertname"]], alert)
    assert tested == set(ALERTS) - {SHARDS}
    path = tmp_path / "tests.yaml"
    path.write_text(yaml.safe_dump(cases))
    done = ran(promtool, "test", "rules", str(path))
    assert done.returncode == 0, done.stdout + done.stderr


def test_shard_without_a_leader_or_with_two_fires_an_alert(promtool: str, tmp_path: Path) -> None:
    body = next(b for b in render(*SETS["PrometheusRule"], "scope.shards=4") if b["kind"] == RULE)
    path = tmp_path / "rules.yaml"
    path.write_text(yaml.safe_dump({"groups": body["spec"]["groups"]}))
    texts = {r["alert"]: r["annotations"] for g in body["spec"]["groups"] for r in g["rules"]}
    assert set(texts) == set(ALERTS) - {"CanariumTwoLeaders"}
    fires = {"exp_labels": {"severity": "critical", "namespace": "ml"}}
    led = 'canarium_shards_led{namespace="ml", pod='
    questions = [("1m", None), ("8m", 2), ("14m", None), ("24m", 5)]
    case = {
        "interval": "30s",
        "input_series": [
            {"series": f'{led}"a"}}', "values": "2x49"},
            {"series": f'{led}"b"}}', "values": "2x9 0x9 2x9 3x19"},
        ],
        "alert_rule_test": [
            {
                "eval_time": moment,
                "alertname": SHARDS,
                "exp_alerts": []
                if count is None
                else [
                    fires
                    | {
                        "exp_annotations": texts[SHARDS]
                        | {"summary": f"The operators in ml lead {count} shards instead of 4"}
                    }
                ],
            }
            for moment, count in questions
        ],
    }
    tests = tmp_path / "tests.yaml"
    tests.write_text(yaml.safe_dump({"rule_files": [str(path)], "tests": [case]}))
    done = ran(promtool, "test", "rules", str(tests))
    assert done.returncode == 0, done.stdout + done.stderr


#: Refusals that users can cause: method, path, status code.
USERS_REFUSALS = [
    ("create", "pods", 403),
    ("create", "pods", 422),
    ("create", "pods", 500),
    ("create", "deployments", 403),
    ("patch", "services", 403),
    ("patch", "services", 422),
    ("patch", "httproutes", 403),
    ("get", "secrets", 403),
    ("list", "gateways", 403),
    ("update", "modeldeployments/status", 409),
    ("create", "deployments", 429),
]


# G8
@pytest.mark.rule("R31")
def test_rejected_user_input_fires_no_alert_about_the_api_server(
    promtool: str, rules: Path, tmp_path: Path
) -> None:
    metrics = OperatorMetrics()
    for verb, resource, code in USERS_REFUSALS:
        metrics.requested(verb, resource, code)
    (family,) = (f for f in metrics.registry.collect() if f.name == "canarium_api_requests")
    series = [
        {"series": sample.name + labelled(sample.labels), "values": "0+30x60"}
        for sample in family.samples
        if sample.name.endswith("_total")
    ]
    assert len(series) == len(USERS_REFUSALS)
    question = {"eval_time": "25m", "alertname": "CanariumApiErrors", "exp_alerts": []}
    case = {"interval": "30s", "input_series": series, "alert_rule_test": [question]}
    path = tmp_path / "users.yaml"
    path.write_text(yaml.safe_dump({"rule_files": [str(rules)], "tests": [case]}))
    done = ran(promtool, "test", "rules", str(path))
    assert done.returncode == 0, done.stdout + done.stderr


def labelled(labels: dict[str, str]) -> str:
    """Labels as a series has them, with those that Prometheus adds."""
    every = {"namespace": "ml", "pod": "a", **labels}
    return "{" + ", ".join(f'{name}="{value}"' for name, value in every.items()) + "}"


#: What `$value` is in the cases of `alerts_test.yaml`.
VALUES = {
    "waited {{ $value | humanizeDuration }}": "waited 45s",
    "for {{ $value | humanizeDuration }}; rollouts": "for 15m 0s; rollouts",
}


def filled(texts: dict[str, str], alert: dict[str, Any]) -> dict[str, str]:
    """An alert's annotations with its labels and value in place."""

    def fill(text: str) -> str:
        text = text.replace("silent for {{ $value | humanizeDuration }}", "silent for 11m 40s")
        for template, value in VALUES.items():
            text = text.replace(template, value)
        name = alert["exp_labels"].get("name")
        for named in re.findall(r"{{ with \$labels.name }}.*?{{ end }}", text):
            place = "{{ $labels.namespace }}/"
            text = text.replace(named, f"{place}{name}" if name else "A model")
        return re.sub(r"{{ \$labels\.(\w+) }}", lambda m: alert["exp_labels"][m[1]], text)

    return {name: fill(text) for name, text in texts.items()}


def test_every_alert_has_an_existing_runbook() -> None:
    """A heading of a page in the repository, whose address the site's configuration has."""
    (repository,) = re.findall(r"(?m)^repo_url: (\S+)$", (ROOT / "mkdocs.yml").read_text())
    page = (ROOT / "docs" / "reference" / "alerts.md").read_text()
    assert re.findall(r"(?m)^## (\w+)$", page) == ALERTS
    for group in rendered("PrometheusRule")["spec"]["groups"]:
        for rule in group["rules"]:
            place, _, heading = rule["annotations"]["runbook_url"].partition("#")
            assert (ROOT / place.removeprefix(f"{repository}/blob/main/")).is_file(), place
            assert heading == rule["alert"].lower()
            assert rule["labels"]["severity"] in ("critical", "warning", "info")


PAGE = (ROOT / "docs" / "guides" / "monitoring.md").read_text()
BLOCKS = [yaml.safe_load(text) for text in re.findall(r"(?ms)^```yaml\n(.*?)^```", PAGE)]


@pytest.mark.parametrize(
    "values", [one for one in BLOCKS if isinstance(one, dict) and "apiVersion" not in one]
)
def test_values_of_the_guide_are_those_of_the_chart(values: dict[str, Any]) -> None:
    bodies = render(*(f"{name}={json.dumps(value)}" for name, value in values.items()))
    assert len(bodies) > len(render()) or "logging" in values


def test_scrape_job_of_the_guide_is_the_example() -> None:
    (job,) = (block for block in BLOCKS if isinstance(block, list))
    assert job == yaml.safe_load((ROOT / "examples/monitoring/prometheus.yaml").read_text())


def test_scrape_job_selects_the_ports_of_the_chart() -> None:
    (job,) = yaml.safe_load((ROOT / "examples/monitoring/prometheus.yaml").read_text())
    keep = job["relabel_configs"][0]
    sinks = [{"name": "a", "cloudEvents": {"url": "https://a.test"}}]
    bodies = render(f"notifications={json.dumps({'enabled': True, 'sinks': sinks})}")
    kept = [
        body["metadata"]["name"]
        for body in bodies
        if body["kind"] == "Deployment"
        for container in body["spec"]["template"]["spec"]["containers"]
        for port in container["ports"]
        if re.fullmatch(
            keep["regex"],
            ";".join(
                (
                    body["spec"]["template"]["metadata"]["labels"]["app.kubernetes.io/instance"],
                    port["name"],
                )
            ),
        )
    ]
    assert sorted(kept) == ["canarium", "canarium-notifier"]


MONITORING = ROOT / "examples" / "monitoring"
#: Where queries of checks are written for users, in Markdown and YAML.
TEXTS = sorted([*(ROOT / "docs").rglob("*.md"), *(ROOT / "examples").rglob("*.yaml")])


def model_monitor() -> dict[str, Any]:
    (body,) = load((MONITORING / "models-podmonitor.yaml").read_text())
    return dict(body)


def model_job() -> dict[str, Any]:
    (job,) = yaml.safe_load((MONITORING / "models-prometheus.yaml").read_text())
    return dict(job)


def sanitized(label: str) -> str:
    """A label of a pod as a label of a series."""
    return re.sub(r"\W", "_", label)


def test_pod_monitor_of_models_is_valid_for_the_prometheus_operator() -> None:
    check = jsonschema.Draft202012Validator(definition("PodMonitor"))
    assert [f"{e.json_path}: {e.message}" for e in check.iter_errors(model_monitor())] == []


def test_pod_monitor_and_scrape_job_give_series_the_same_labels_of_a_models_pods() -> None:
    given = labels.of("fraud", "abc23456")
    monitor, job = model_monitor()["spec"], model_job()
    assert {*monitor["podTargetLabels"]} == {*given} - {labels.MANAGED_BY}
    made = {
        rule["target_label"]: rule["source_labels"]
        for rule in job["relabel_configs"]
        if "target_label" in rule
    }
    meta = {
        sanitized(label): [f"__meta_kubernetes_pod_label_{sanitized(label)}"]
        for label in monitor["podTargetLabels"]
    }
    # The Prometheus operator adds these itself.
    meta |= {"namespace": ["__meta_kubernetes_namespace"], "pod": ["__meta_kubernetes_pod_name"]}
    assert made == meta


def test_pod_monitor_and_scrape_job_read_the_port_of_the_runtimes() -> None:
    """Of those that have one for their metrics."""
    (endpoint,) = model_monitor()["spec"]["podMetricsEndpoints"]
    job = model_job()
    (keep,) = (rule for rule in job["relabel_configs"] if rule.get("action") == "keep")
    assert (endpoint["port"], endpoint["path"]) == (keep["regex"], job["metrics_path"])
    servers = [runtime.spec for runtime in built_in().values()]
    separate = [one for one in servers if "port" in one.get("metrics", {})]
    assert separate
    for server in separate:
        assert {"name": endpoint["port"], "port": server["metrics"]["port"]} in server["ports"]
        assert server["metrics"].get("path", endpoint["path"]) == endpoint["path"]


@pytest.mark.parametrize("name", ["prometheus.yaml", "models-prometheus.yaml"])
def test_scrape_job_is_valid_for_promtool(promtool: str, tmp_path: Path, name: str) -> None:
    (job,) = yaml.safe_load((MONITORING / name).read_text())
    path = tmp_path / "prometheus.yaml"

    def checked() -> int:
        path.write_text(yaml.safe_dump({"scrape_configs": [job]}))
        return ran(promtool, "check", "config", str(path)).returncode

    # Debian builds it without this discovery.
    job["static_configs"] = [{"targets": ["127.0.0.1:1"]}]
    (discovery,) = job.pop("kubernetes_sd_configs")
    assert discovery["role"] == "pod"
    assert checked() == 0
    job["relabel_configs"][0]["action"] = "kept"
    assert checked() == 1


def test_queries_for_users_select_a_version_by_the_label_of_the_scrape() -> None:
    named = {
        (path.relative_to(ROOT).as_posix(), name)
        for path in TEXTS
        for name in re.findall(r"([\w.]+)=~?\"{{ revision }}\"", path.read_text())
    }
    assert {name for _, name in named} == {sanitized(labels.REVISION)}
    assert {"examples/judged.yaml", "docs/guides/monitoring.md"} <= {path for path, _ in named}


def test_time_to_restore_is_the_mean_duration_of_outages(promtool: str, tmp_path: Path) -> None:
    """Two outages, of one and of two minutes."""
    board = json.loads((CHART / "files" / "dashboards" / "fleet.json").read_text())
    (panel,) = (p for p in board["panels"] if p["title"] == "Time to restore, mean")
    query = panel["targets"][0]["expr"].replace("$__range", "600s").replace("$namespace", ".*")
    labels = '{namespace="risk", name="fraud", type="Available", status="False"}'
    series = {
        "series": f"canarium_modeldeployment_condition{labels}",
        "values": "_x10 1x3 stale _x9 1x7 stale _x10",
    }
    expected = {"expr": query, "eval_time": "9m", "exp_samples": [{"labels": "{}", "value": 90}]}
    case = {"interval": "15s", "input_series": [series], "promql_expr_test": [expected]}
    path = tmp_path / "restore.yaml"
    path.write_text(yaml.safe_dump({"rule_files": [], "tests": [case]}))
    done = ran(promtool, "test", "rules", str(path))
    assert done.returncode == 0, done.stdout + done.stderr
