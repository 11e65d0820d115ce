"""`lint`: every kind of fault with its position; nothing about manifests that are right.

To write the golden files again: `CANARIUM_GOLDEN=write pytest tests/unit/cli/lint`.
"""

from __future__ import annotations

import copy
import json
import os
import sys
from io import BytesIO, TextIOWrapper
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from canarium.api.status.transition import TransitionType
from canarium_cli.lint.sarif import RULES
from canarium_cli.main import cli
from cli.lint.cases import BROKEN, MODEL, REFUSED, RUNTIME, Case
from sweep import every

ROOT = Path(__file__).parents[4]
FAULTY = Path(__file__).parent / "faulty.yaml"
GOLDEN = ROOT / "tests" / "golden" / "cli"


def run(*words: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(cli, ["lint", *words], input=stdin)


def findings(tmp_path: Path, *bodies: Any, rps: str = "") -> list[dict[str, Any]]:
    file = tmp_path / "model.yaml"
    file.write_text(yaml.safe_dump_all(bodies, sort_keys=False))
    done = run(str(file), "-o", "json", *(["--rps", rps] if rps else []))
    found = json.loads(done.stdout)["findings"]
    errors = any(x["level"] == "error" for x in found)
    assert done.exit_code == (2 if errors else 0)
    return list(found)


@pytest.mark.parametrize("case", every([*REFUSED, *BROKEN]), ids=str)
def test_each_fault_is_found_at_its_field(tmp_path: Path, case: Case) -> None:
    found = findings(tmp_path, case.body())
    assert (case.path, case.rule) in {(x["path"], x["rule"]) for x in found}, found
    assert all(x["line"] > 0 and x["column"] > 0 and x["message"][-1] in ".?" for x in found)
    assert not any(x["path"] and x["path"] in x["message"] for x in found if x["rule"] != "cel")


def test_uri_that_the_api_server_rejects_is_reported_once(tmp_path: Path) -> None:
    body = copy.deepcopy(MODEL)
    body["spec"]["model"]["uri"] = "mlflow://fraud"
    found = [x["rule"] for x in findings(tmp_path, body) if x["path"] == "spec.model.uri"]
    assert found == ["cel"]


@pytest.mark.parametrize("body", [MODEL, RUNTIME], ids=["model", "runtime"])
def test_correct_manifests_have_no_findings(tmp_path: Path, body: dict[str, Any]) -> None:
    assert findings(tmp_path, body) == []


def test_every_type_of_notifications_is_accepted(tmp_path: Path) -> None:
    spec = {**MODEL["spec"], "notifications": {"types": [str(one) for one in TransitionType]}}
    assert findings(tmp_path, {**MODEL, "spec": spec}) == []


#: YAML that is not of Kubernetes: pipelines, and configuration of monitoring.
_OTHERS = (
    *("github-actions.yaml", "gitlab-ci.yaml", "kube-state-metrics.yaml", "prometheus.yaml"),
    "models-prometheus.yaml",
)


@pytest.mark.slow
def test_examples_have_no_findings() -> None:
    files = [x for x in sorted((ROOT / "examples").rglob("*.yaml")) if x.name not in _OTHERS]
    done = run(*map(str, files), "--strict", "--rps", "50")
    assert done.exit_code == 0, done.output
    assert done.output.startswith("0 errors, 0 warnings in ")


def test_output_is_as_recorded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FAULTY.parent)
    text = run(FAULTY.name, "--rps", "2")
    assert text.exit_code == 2
    log = run(FAULTY.name, "--rps", "2", "-o", "sarif")
    assert log.exit_code == 2
    recorded(GOLDEN / "lint.txt", text.output)
    recorded(GOLDEN / "lint.sarif.json", log.output)


def recorded(file: Path, text: str) -> None:
    """Compares with a golden file; `CANARIUM_GOLDEN=write` writes it."""
    if os.environ.get("CANARIUM_GOLDEN") == "write":
        file.write_text(text)
    assert text == file.read_text()


def test_sarif_names_a_rule_for_every_finding() -> None:
    log = json.loads(run(str(FAULTY), "-o", "sarif").stdout)
    (run_,) = log["runs"]
    rules = [rule["id"] for rule in run_["tool"]["driver"]["rules"]]
    assert rules == list(RULES)
    assert run_["results"]
    for result in run_["results"]:
        assert rules[result["ruleIndex"]] == result["ruleId"]
        region = result["locations"][0]["physicalLocation"]["region"]
        assert region["startLine"] > 0


def test_position_is_that_of_the_value_in_its_document(tmp_path: Path) -> None:
    file = tmp_path / "two.yaml"
    file.write_text(
        "# A comment.\n---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n---\n"
        "apiVersion: canarium.dev/v1alpha1\nkind: ModelDeployment\nmetadata: {name: fraud}\n"
        "spec:\n  model: {format: sklearn}\n  scaling:\n    replicas: many\n"
    )
    done = run(str(file))
    assert f"{file}:13:15: error: spec.scaling.replicas:" in done.output
    assert done.exit_code == 2


def test_fault_in_a_runtime_is_shown_there_when_a_model_renders_it(tmp_path: Path) -> None:
    runtime = {**RUNTIME, "spec": {**RUNTIME["spec"], "args": ["--name={{ parameters.size }}"]}}
    model = {**MODEL, "spec": {"model": {"format": "own"}}}
    (found,) = findings(tmp_path, runtime, model)
    assert found["object"] == "ClusterModelRuntime/own"
    assert found["path"] == "spec.args[0]"
    assert "Rendered for ModelDeployment/fraud." in found["message"]


def test_key_that_a_config_map_in_the_files_lacks_is_found(tmp_path: Path) -> None:
    model = json.loads(json.dumps(MODEL))
    source = {"configMap": {"name": "bodies", "key": "b.json"}}
    model["spec"]["rollout"]["smokeTests"] = [{"path": "/p", "bodyFrom": source}]
    bodies = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "bodies"},
        "data": {"a.json": "{}"},
    }
    (found,) = findings(tmp_path, model, bodies)
    assert found["message"] == "ConfigMap/bodies has no key b.json; its keys: a.json."


def analyzed(**fields: Any) -> dict[str, Any]:
    model: dict[str, Any] = json.loads(json.dumps(MODEL))
    model["spec"]["rollout"]["analysis"] |= fields
    return model


@pytest.mark.parametrize(
    ("rps", "fields", "level", "words"),
    [
        # 25 % of 1/s for the window of 5 minutes are 75 requests, of 100.
        ("1", {}, "error", "can never have 100 samples at weight 25"),
        # 25 % of 10/s for the pause of 30 s are 75 requests; 40 s give 100.
        ("10", {}, "warning", "They take 40 s at weight 25"),
        ("10", {"onInsufficientData": "Promote"}, "warning", "passes without a verdict"),
        ("10", {"onInsufficientData": "RollBack"}, "warning", "is rolled back"),
    ],
)
def test_samples_that_a_step_cannot_have_are_reported(
    tmp_path: Path, rps: str, fields: dict[str, Any], level: str, words: str
) -> None:
    found = findings(tmp_path, analyzed(**fields), rps=rps)
    first = next(x for x in found if x["path"] == "spec.rollout.steps[0]")
    assert (first["level"], first["rule"]) == (level, "min-samples")
    assert words in first["message"]


def test_enough_samples_and_steps_that_are_not_judged_are_not_reported(tmp_path: Path) -> None:
    assert findings(tmp_path, analyzed(), rps="14") == []
    # At weight 50, 7/s for 30 s are 105; the step of 25 is not judged.
    assert findings(tmp_path, analyzed(startWeight=50), rps="7") == []
    assert findings(tmp_path, analyzed(minSamples=10), rps="2") == []


def test_check_that_compares_needs_the_samples_of_stable_too(tmp_path: Path) -> None:
    check = {"name": "errors", "metric": "ErrorRate", "maxRatioToStable": "1.5"}
    model = analyzed(checks=[check])
    model["spec"]["rollout"]["steps"] = [{"weight": 99, "pause": "30s"}]
    (found,) = findings(tmp_path, model, rps="20")
    assert "can never have 100 samples at weight 99: 0.2 requests per second" in found["message"]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "The file contains no objects."),
        ("# nothing\n---\n", "The file contains no objects."),
        ("a: [", "Not valid YAML: "),
        ("just text", "apiVersion and kind are required."),
        ("a: 1\na: 2\n", "The key a is repeated"),
        ("x: !!python/object/apply:os.system [id]\n", "Not valid YAML: could not determine"),
        ("kind: ModelDeployment\n", "apiVersion and kind are required."),
        ("a: &a [*a]", "apiVersion and kind are required."),
        ("[" * 100_000, "more than 200 levels of nesting"),
    ],
)
def test_file_without_objects_is_refused_in_one_sentence(
    tmp_path: Path, text: str, words: str
) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(text)
    done = run(str(file))
    assert done.exit_code == 2
    assert words in done.output
    assert "Traceback" not in done.output


def test_unreadable_files_and_folders_are_reported_beside_others(tmp_path: Path) -> None:
    (tmp_path / "binary.yaml").write_bytes(b"a: \xff\xfe")
    (tmp_path / "empty").mkdir()
    done = run(str(tmp_path / "absent.yaml"), str(tmp_path), str(tmp_path / "empty"))
    assert done.exit_code == 2
    assert "absent.yaml:1:1: error: Cannot be read: No such file or directory." in done.output
    assert "binary.yaml:1:1: error: The file is not UTF-8 text." in done.output
    assert "The folder has no .yaml, .yml or .json files." in done.output


def test_objects_of_others_alone_are_a_usage_error(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text("apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n")
    done = run(str(file))
    assert done.exit_code == 2
    assert "no objects of Canarium" in done.output


def test_unknown_kind_and_version_are_reported(tmp_path: Path) -> None:
    wrong = {**MODEL, "kind": "ModelDeploymnt"}
    older = {**MODEL, "apiVersion": "canarium.dev/v1"}
    kind, version = findings(tmp_path, wrong, older)
    assert kind["message"] == "Unknown kind ModelDeploymnt. Did you mean ModelDeployment?"
    assert version["message"] == "Unknown version v1: write canarium.dev/v1alpha1."


def test_warnings_fail_only_when_strict(tmp_path: Path) -> None:
    file = tmp_path / "x.yaml"
    file.write_text(yaml.safe_dump({**MODEL, "status": {}}))
    assert run(str(file)).exit_code == 0
    assert run(str(file), "--strict").exit_code == 2


def test_lists_json_and_dates_are_read_as_kubernetes_does(tmp_path: Path) -> None:
    listed = {"apiVersion": "v1", "kind": "List", "items": [MODEL, RUNTIME]}
    file = tmp_path / "x.json"
    file.write_text(json.dumps(listed, indent="\t"))
    assert "0 errors, 0 warnings in 2 objects" in run(str(file)).output
    model = yaml.safe_dump(MODEL).replace("version: '1'", "version: 2026-01-02")
    assert "0 errors, 0 warnings in 1 object" in run("-", stdin=model).output


def test_standard_input_that_is_not_text_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    from canarium_cli.manifests.reading import read

    monkeypatch.setattr(sys, "stdin", TextIOWrapper(BytesIO(b"\xff")))
    documents, found = read(["-"])
    assert not documents
    assert [str(x) for x in found] == ["<stdin>:1:1: The file is not UTF-8 text."]


def test_logged_example_needs_a_path_that_takes_it(tmp_path: Path) -> None:
    model = copy.deepcopy(MODEL)
    source = {"uri": "mlflow://fraud@champion", "endpoint": "http://mlflow", "version": "1"}
    model["spec"]["model"] = {**source, "format": "huggingface"}
    model["spec"]["runtime"] = {"name": "vllm"}
    model["spec"]["rollout"] = {"smokeTests": [{"fromSignature": True}]}
    (refused,) = findings(tmp_path, model)
    assert refused["path"] == "spec.rollout.smokeTests[0].fromSignature"
    assert "cannot be sent to /v1/completions" in refused["message"]
    model["spec"]["rollout"]["smokeTests"][0]["path"] = "/invocations"
    assert findings(tmp_path, model) == []


@pytest.mark.parametrize(
    "scalar", ["!!int 0x", '!!int ""', "!!timestamp x", "1" * 5000], ids=lambda x: x[:12]
)
def test_value_that_cannot_be_converted_does_not_hide_other_documents(
    tmp_path: Path, scalar: str
) -> None:
    file = tmp_path / "models.yaml"
    file.write_text(f"a: {scalar}\n---\n{yaml.safe_dump({**MODEL, 'kind': 'Modeldeployment'})}")
    done = run(str(file), "-o", "json")
    assert done.exit_code == 2
    found = json.loads(done.stdout)["findings"]
    assert [x["rule"] for x in found] == ["yaml", "kind"]


@pytest.mark.parametrize("field", ["rollout", "smokeTests", "analysis", "scaling", "model"])
@pytest.mark.parametrize("value", [5, "x", [1], {"steps": 5}, {"steps": [{"weight": []}]}])
def test_value_of_another_type_is_a_finding(tmp_path: Path, field: str, value: Any) -> None:
    body = copy.deepcopy(MODEL)
    body["spec"][field] = value
    assert "schema" in {x["rule"] for x in findings(tmp_path, body)}
