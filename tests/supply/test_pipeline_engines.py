"""examples/pipelines, read by the systems that they are for: Kubeflow's compiler, Airflow, and the
schemas of GitHub, GitLab and Argo Workflows.
"""

from __future__ import annotations

import copy
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from foreign_definitions import definition
from sandbox import binaries
from supply.kubeflow import compiled, tasks
from supply.pipelines import FOLDER, JOB, VARIABLES, Steps, commands, environment

#: Where a program of Airflow would send its requests; this one sends none.
_CLUSTER = """
apiVersion: v1
kind: Config
clusters: [{name: none, cluster: {server: "http://127.0.0.1:1"}}]
contexts: [{name: none, context: {cluster: none}}]
current-context: none
"""
SCHEMAS = {
    "github-actions.yaml": ["vendor.github-workflows"],
    "gitlab-ci.yaml": ["vendor.gitlab-ci", "--data-transform", "gitlab-ci"],
}


def against_schema(name: str, path: Path) -> subprocess.CompletedProcess[str]:
    """Validates a file by the schema that is published for the file `name` of the examples."""
    program = environment(".venv-pipelines") / "check-jsonschema"
    words = [program, path, "--builtin-schema", *SCHEMAS[name]]
    return subprocess.run(words, capture_output=True, text=True, timeout=60)


@pytest.mark.parametrize("name", SCHEMAS)
def test_file_has_the_published_schema_of_its_system(name: str, tmp_path: Path) -> None:
    done = against_schema(name, FOLDER / name)
    assert done.returncode == 0, done.stdout
    wrong = yaml.safe_load((FOLDER / name).read_text())
    (wrong.get("jobs") or wrong)["release"]["timeout"] = ["3h"]
    (tmp_path / name).write_text(yaml.safe_dump(wrong, sort_keys=False))
    refused = against_schema(name, tmp_path / name)
    assert refused.returncode == 1
    assert "timeout" in refused.stdout


@pytest.mark.slow
def test_workflow_of_argo_has_only_fields_of_its_definition() -> None:
    folder = binaries.source("argo-workflows") / "manifests" / "base" / "crds" / "full"
    check = jsonschema.Draft202012Validator(definition(folder / "argoproj.io_workflows.yaml"))
    body = yaml.safe_load((FOLDER / "argo-workflow.yaml").read_text())
    assert [f"{e.json_path}: {e.message}" for e in check.iter_errors(body)] == []
    wrong = copy.deepcopy(body)
    wrong["spec"]["templates"][1]["script"]["timeout"] = "3h"
    assert any("timeout" in e.message for e in check.iter_errors(wrong))


@pytest.fixture(scope="module")
def kubeflow(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The pipeline of Kubeflow, as its compiler has written it."""
    return compiled(FOLDER / "kubeflow_pipeline.py", tmp_path_factory.mktemp("kubeflow"))


def test_second_step_of_kubeflow_waits_for_the_version_of_the_first(
    kubeflow: dict[str, Any],
) -> None:
    assert kubeflow["pipelineInfo"]["name"] == "release-fraud"
    graph = kubeflow["root"]["dag"]["tasks"]
    assert graph.keys() == {"train", "release"}
    passed = {"outputParameterKey": "version", "producerTask": "train"}
    assert graph["release"]["inputs"]["parameters"] == {"version": {"taskOutputParameter": passed}}
    assert graph["release"]["dependentTasks"] == ["train"]
    # A version that was rolled back is not tried again.
    assert not any("retryPolicy" in task for task in graph.values())


def test_steps_of_kubeflow_have_the_commands_and_variables_of_the_job(
    kubeflow: dict[str, Any],
) -> None:
    made = tasks(kubeflow, "/tmp/output", "8")
    assert commands("\n".join(task.words[2] for task in made)) == JOB
    assert all(VARIABLES.items() <= task.variables.items() for task in made)
    # Else a second run would reuse the results of the first.
    assert [task.cached for task in made] == [False, False]


@pytest.mark.parametrize("code", [0, 1, 3])
def test_steps_of_kubeflow_pass_the_version_on_and_end_as_the_wait_does(
    kubeflow: dict[str, Any], tmp_path: Path, code: int
) -> None:
    steps = Steps(tmp_path, code)
    made = tasks(kubeflow, "/outputs/version", "8")
    assert [steps.run(task.words, task.variables) for task in made] == [0, code]
    assert (tmp_path / "outputs" / "version").read_text() == "8\n"
    assert_released(steps)


def assert_released(steps: Steps) -> None:
    """The commands were about version 8 and revision 8, which the stand-in for python prints."""
    assert steps.calls[2:4] == ["release.py alias 8", "release.py revision 8"]
    assert steps.calls[4].startswith("modeldeploy status fraud -n models --revision 8 ")


@pytest.fixture(scope="module")
def airflow(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The DAG of Airflow and the pods that it makes, if the first one returns 8."""
    folder = tmp_path_factory.mktemp("airflow")
    (folder / "kubeconfig").write_text(_CLUSTER)
    settings = {"AIRFLOW_HOME": str(folder), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
    done = subprocess.run(
        [
            environment(".venv-airflow") / "python",
            Path(__file__).with_name("airflow_pods.py"),
            FOLDER / "airflow_dag.py",
            "8",
        ],
        env={**os.environ, **settings, "KUBECONFIG": str(folder / "kubeconfig")},
        capture_output=True,
        text=True,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    made: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return made


def container(task: dict[str, Any]) -> tuple[list[str], dict[str, str]]:
    """The words and the variables of a task's own container."""
    [one] = [one for one in task["pod"]["spec"]["containers"] if one["name"] == "base"]
    return [*one["command"], *one["args"]], {x["name"]: x["value"] for x in one["env"]}


@pytest.mark.slow
def test_pods_of_airflow_have_the_commands_and_variables_of_the_job(
    airflow: dict[str, Any],
) -> None:
    assert (airflow["name"], airflow["runs"]) == ("release-fraud", 1)
    made = airflow["tasks"]
    assert [(task["name"], task["after"]) for task in made] == [
        ("train", []),
        ("release", ["train"]),
    ]
    assert [task["retries"] for task in made] == [0, 0]
    words, variables = zip(*map(container, made), strict=True)
    assert commands("\n".join(one[2] for one in words)) == JOB
    assert all(VARIABLES.items() <= one.items() for one in variables)
    spec = made[1]["pod"]["spec"]
    assert (spec["serviceAccountName"], spec["restartPolicy"]) == ("model-release", "Never")


@pytest.mark.slow
@pytest.mark.parametrize("code", [0, 1, 3])
def test_pods_of_airflow_pass_the_version_on_and_end_as_the_wait_does(
    airflow: dict[str, Any], tmp_path: Path, code: int
) -> None:
    steps, result = Steps(tmp_path, code), tmp_path / "airflow" / "xcom" / "return.json"
    result.parent.mkdir(parents=True)
    assert [steps.run(*container(task)) for task in airflow["tasks"]] == [0, code]
    assert json.loads(result.read_text()) == 8
    assert_released(steps)
