"""`lint`, `simulate` and `plan` expand the templates of checks that are in the files."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from canarium.api.effective_analysis import TemplateReference
from canarium.api.template_arguments import Fault
from canarium.core.facts.check_templates import expanded_from
from canarium_cli.main import cli
from cli.lint.cases import MODEL
from cli.lint.test_lint import findings
from cli.test_plan import plan
from cli.test_plan import run as run_plan

USES = "spec.rollout.analysis.templates"


def template(**changes: Any) -> dict[str, Any]:
    spec = {
        "args": [{"name": "max", "value": "1%"}, {"name": "team"}],
        "checks": [
            {"name": "errors", "metric": "ErrorRate", "max": "{{ args.max }}"},
            {
                "name": "drift",
                "prometheus": {
                    "url": "http://prometheus",
                    "query": 'max(drift{team="{{ args.team }}",revision="{{ revision }}"})',
                },
                "max": "0.2",
            },
        ],
        **changes,
    }
    return {
        "apiVersion": "canarium.dev/v1alpha1",
        "kind": "CheckTemplate",
        "metadata": {"name": "slo"},
        "spec": spec,
    }


def model(use: dict[str, Any] | None = None, **analysis: Any) -> dict[str, Any]:
    made: dict[str, Any] = copy.deepcopy(MODEL)
    made["spec"]["rollout"] = {
        "steps": [{"weight": 25, "pause": "1m"}],
        "analysis": {"templates": [use or {"name": "slo", "args": {"team": "risk"}}], **analysis},
    }
    return made


def test_template_and_its_use_have_no_findings(tmp_path: Path) -> None:
    assert findings(tmp_path, template(), model()) == []
    assert findings(tmp_path, model()) == [], "it may be in the cluster"


@pytest.mark.parametrize(
    ("raw", "path", "rule", "text"),
    [
        (
            template(args=[]),
            "spec",
            "check-template",
            "CheckTemplate/slo: spec.checks[errors] has {{ args.max }}, which is not in spec.args.",
        ),
        (
            template(args=[{"name": "max", "value": "high"}, {"name": "team", "value": "a"}]),
            "spec",
            "check-template",
            "Check errors of CheckTemplate/slo is not valid with these arguments: max: must be",
        ),
        (
            template(
                args=[],
                checks=[
                    {
                        "name": "drift",
                        "prometheus": {"url": "http://prometheus", "query": "max(drift"},
                        "max": "1",
                    }
                ],
            ),
            "spec.checks[0].prometheus.query",
            "promql",
            "Not valid PromQL",
        ),
        (
            template(checks=[{"name": "a", "max": "1"}]),
            "spec.checks[0].metric",
            "cel",
            "set exactl",
        ),
        (template(checks=[]), "spec.checks", "schema", "[]"),
    ],
    ids=["undeclared", "default", "promql", "source", "empty"],
)
def test_fault_of_a_template_is_found_at_its_field(
    tmp_path: Path, raw: dict[str, Any], path: str, rule: str, text: str
) -> None:
    found = findings(tmp_path, raw)
    assert (path, rule) in {(one["path"], one["rule"]) for one in found}, found
    assert any(one["message"].lower().startswith(text.lower()) for one in found), found


@pytest.mark.parametrize(
    ("use", "more", "path", "text"),
    [
        (
            {"name": "slo"},
            {},
            "[0].args.team",
            "Set this argument, for which CheckTemplate/slo has",
        ),
        (
            {"name": "slo", "args": {"team": "a", "tema": "b"}},
            {},
            "[0].args.tema",
            "CheckTemplate/slo has no such argument. Its arguments: max, team.",
        ),
        (
            {"name": "slo", "args": {"team": "a", "max": "high"}},
            {},
            "[0]",
            "Check errors of CheckTemplate/slo is not valid with these arguments: max: must be a",
        ),
        (
            {"name": "slo", "args": {"team": "a", "max": "200%"}},
            {},
            "[0].max",
            "max 200% is 200%, which ErrorRate never exceeds",
        ),
        (
            {"name": "slo", "args": {"team": 'a"'}},
            {},
            "[0].args.team",
            "A value has no quotes, backslashes, braces or control characters.",
        ),
        (
            {"name": "slo", "args": {"team": "a"}},
            {"checks": [{"name": "errors", "metric": "ErrorRate", "max": "1%"}]},
            "[0]",
            "Its check errors is also in spec.rollout.analysis.checks: rename one of the two.",
        ),
    ],
    ids=["missing", "unknown", "bound", "useless", "quote", "twice"],
)
def test_fault_of_a_use_is_found_in_the_model(
    tmp_path: Path, use: dict[str, Any], more: dict[str, Any], path: str, text: str
) -> None:
    found = findings(tmp_path, template(), model(use, **more))
    assert [one["path"] for one in found] == [f"{USES}{path}"], found
    assert found[0]["message"].startswith(text)


def test_template_of_another_namespace_is_not_that_of_the_model(tmp_path: Path) -> None:
    other = template()
    other["metadata"]["namespace"] = "elsewhere"
    assert findings(tmp_path, other, model({"name": "slo"})) == []


def test_samples_of_checks_in_templates_are_counted(tmp_path: Path) -> None:
    found = findings(tmp_path, template(), model(), rps="1")
    assert {one["rule"] for one in found} == {"min-samples"}
    assert any("Check errors" in one["message"] for one in found)


def timeline(*words: str, text: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli, ["simulate", "-f", "-", *words], input=text)
    return done.exit_code, done.output


def test_simulation_fails_the_check_of_a_template() -> None:
    text = yaml.safe_dump_all([template(), model()])
    code, output = timeline("--failing", "check:drift", "--fail-at", "25", text=text)
    assert code == 0
    assert "RolledBack" in output
    assert "check drift: simulated failure" in output
    code, output = timeline("--failing", "check:other", text=text)
    assert code == 2
    assert "it has: errors, drift" in output


def test_simulation_takes_a_template_that_is_not_in_the_file_to_exist() -> None:
    code, output = timeline(text=yaml.safe_dump(model()))
    assert code == 0
    assert "Ready" in output
    assert "AnalysisNotReady" not in output


def test_plan_lists_the_checks_of_templates() -> None:
    text = yaml.safe_dump_all([template(), model()])
    assert plan(text)["checkTemplates"] == [
        {"template": "CheckTemplate/slo", "checks": ["errors", "drift"], "fault": None}
    ]
    assert "Judged by CheckTemplate/slo: errors, drift." in run_plan("-f", "-", stdin=text).output
    alone = yaml.safe_dump(model())
    assert plan(alone)["checkTemplates"][0]["checks"] is None
    output = run_plan("-f", "-", stdin=alone).output
    assert "Judged by CheckTemplate/slo, which is not in the file" in " ".join(output.split())
    assert json.loads(run_plan("-f", "-", "-o", "json", stdin=alone).output)


def long_template() -> dict[str, Any]:
    """A template that the schema admits, and the operator does not expand."""
    web = {"url": "http://checks", "path": "$.value", "body": "x" * 14_000}
    checks = [{"name": f"c{number}", "web": web, "max": "1"} for number in range(10)]
    return template(args=[], checks=checks)


@pytest.mark.rule("R21")
def test_template_that_is_longer_than_the_operator_expands_is_found(tmp_path: Path) -> None:
    found = findings(tmp_path, long_template(), model({"name": "slo"}))
    text = "CheckTemplate/slo is longer than 128 KiB."
    assert [(one["path"], one["message"]) for one in found] == [
        ("spec", text),
        (f"{USES}[0]", text),
    ]


def test_plan_reports_a_template_that_is_longer_than_the_operator_expands() -> None:
    fault = "CheckTemplate/slo is longer than 128 KiB"
    text = yaml.safe_dump_all([long_template(), model({"name": "slo"})])
    done = run_plan("-f", "-", stdin=text)
    assert done.exit_code == 2
    assert f"{USES}[0]: {fault}" in done.output
    # One of the cluster is not linted.
    in_cluster = expanded_from(TemplateReference("CheckTemplate", "slo"), long_template()["spec"])
    assert isinstance(in_cluster, Fault)
    assert in_cluster.text == fault
