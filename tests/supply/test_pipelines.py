"""examples/pipelines: the job runs with a real MLflow, and every file has the commands of the job.

tests/integration/test_moving_references.py runs its last two steps with a real API server, operator
and command line.
"""

from __future__ import annotations

import ast
import copy
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest
import yaml
from click.testing import CliRunner

from canarium_cli.main import cli
from canarium_cli.verbs.status import status_command
from fetch.mlflow_server import PYTHON as MLFLOW_PYTHON
from fetch.mlflow_server import MlflowServer
from sandbox import clients
from supply.pipelines import FOLDER, JOB, VARIABLES, commands, executable

#: kubectl with a model whose status is in a file; it runs plugins as kubectl does.
_KUBECTL = """#!/bin/sh
echo "$*" >> calls
case "$1" in
  modeldeploy) shift; exec kubectl-modeldeploy "$@" ;;
  get) cat status.json ;;
  annotate) test ! -e forbidden || { echo 'Error: forbidden' >&2; exit 1; } ;;
esac
"""


def model_status(**parts: Any) -> str:
    return json.dumps({"status": parts})


class Job:
    """The job in an empty folder, with stand-ins for the programs that it runs."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.programs = folder, folder / "bin"
        self.programs.mkdir()
        for name in ("job.sh", "train.py", "release.py"):
            shutil.copy(FOLDER / name, folder)
        executable(self.programs / "kubectl", _KUBECTL)
        self.result(0)
        # The registry as if it had returned version 8.
        release = f"exec {sys.executable}"
        self.python(train="true", register="echo 8; #", release=release)

    def python(self, *, train: str, register: str, release: str) -> None:
        """Sets what `python` runs for each script."""
        lines = (
            "#!/bin/sh",
            'case "$1 $2" in',
            f'train*) {train} "$@"',
            f';; *register|*alias) {register} "$@"',
            f';; *) {release} "$@"',
            ";; esac",
        )
        executable(self.programs / "python", "\n".join(lines) + "\n")

    def result(self, code: int) -> None:
        """Sets how `kubectl modeldeploy` ends."""
        executable(self.programs / "kubectl-modeldeploy", f"#!/bin/sh\nexit {code}\n")

    def status(self, **parts: Any) -> None:
        (self.folder / "status.json").write_text(model_status(**parts))

    def run(self, **environment: str) -> subprocess.CompletedProcess[str]:
        path = f"{self.programs}{os.pathsep}{os.environ['PATH']}"
        return subprocess.run(
            ["sh", "job.sh"],
            cwd=self.folder,
            env={**os.environ, "PATH": path, "KUBECTL": "kubectl", "PATIENCE": "5", **environment},
            capture_output=True,
            text=True,
            timeout=60,
        )

    @property
    def calls(self) -> list[str]:
        """What was asked of kubectl."""
        return (self.folder / "calls").read_text().splitlines()


@pytest.fixture
def job(tmp_path: Path) -> Job:
    return Job(tmp_path)


@pytest.fixture(scope="module")
def mlflow(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MlflowServer]:
    server = MlflowServer(tmp_path_factory.mktemp("mlflow"))
    server.start()
    yield server
    server.kill()


def test_job_registers_a_trained_model_and_moves_the_alias(
    job: Job, mlflow: MlflowServer, sklearn_python: Path
) -> None:
    client = f"exec {MLFLOW_PYTHON}"
    job.python(train=f"exec {sklearn_python}", register=client, release=client)
    job.status(candidate={"revision": "bbbb2222", "resolved": "mlflow://fraud%20v2/2"})
    environment = {
        "MLFLOW_TRACKING_URI": mlflow.url,
        "MODEL": "fraud v2",
        "GIT_COMMIT": "c0ffee",
    }
    earlier, place = mlflow.run(mlflow.experiment("earlier"))
    mlflow.register("fraud v2", f"{place}/model", earlier, alias="champion")
    done = job.run(**environment)
    assert done.returncode == 0, done.stderr

    found = mlflow.call("GET", "registered-models/alias", name="fraud v2", alias="champion")
    version = found["model_version"]
    assert version["version"] == "2"
    run = mlflow.call("GET", "runs/get", run_id=version["run_id"])["run"]
    assert run["info"]["status"] == "FINISHED"
    assert {"key": "mlflow.source.git.commit", "value": "c0ffee"} in run["data"]["tags"]
    listed = mlflow.call("GET", "artifacts/list", run_id=version["run_id"], path="model")
    assert [file["path"] for file in listed["files"]] == ["model/model.joblib"]
    assert version["source"].endswith(f"{version['run_id']}/artifacts/model")


@pytest.mark.parametrize("code", [0, 1, 3, 6])
def test_job_ends_with_the_exit_code_of_the_wait(job: Job, code: int) -> None:
    job.status(stable={"revision": "cccc3333", "resolved": "mlflow://fraud/8"})
    job.result(code)
    assert job.run().returncode == code
    assert job.calls[-1] == (
        "modeldeploy status fraud -n models --revision cccc3333 --until gate --timeout 2h"
    )
    assert job.calls[0].startswith(
        "annotate --namespace=models modeldeployment fraud --overwrite canarium.dev/resolve="
    )


def test_job_that_cannot_train_moves_no_alias(job: Job) -> None:
    job.python(train="exit 9; #", register="touch registered; #", release="true")
    assert job.run().returncode == 9
    assert not (job.folder / "registered").exists()


def test_job_waits_until_the_operator_has_the_version_and_times_out_otherwise(job: Job) -> None:
    """The previous version serves, so the model is Ready: that is not yet the result."""
    job.status(
        stable={"revision": "aaaa1111", "resolved": "mlflow://fraud/7"},
        conditions=[
            {"type": "SourceResolved", "reason": "SourceUnavailable", "message": "HTTP 503."}
        ],
    )
    done = job.run(PATIENCE="0")
    assert done.returncode == 3
    assert "waits for mlflow://fraud/8, but the operator has mlflow://fraud/7" in done.stderr
    assert "SourceUnavailable: HTTP 503." in done.stderr
    assert not any(call.startswith("modeldeploy") for call in job.calls)


def test_job_finds_a_version_that_failed_before_it_was_seen(job: Job) -> None:
    """Its candidate is over, and the promoted version serves: only the history has its URI."""
    job.status(
        stable={"revision": "aaaa1111", "resolved": "mlflow://fraud/7"},
        failure={"revision": "bbbb2222"},
        history=[
            {"revision": "bbbb2222", "resolved": "mlflow://fraud/8"},
            {"revision": "aaaa1111", "resolved": "mlflow://fraud/7"},
        ],
    )
    job.result(1)
    assert job.run().returncode == 1
    assert "--revision bbbb2222" in job.calls[-1]


def test_version_that_failed_long_ago_is_not_taken_for_the_new_result(job: Job) -> None:
    job.status(
        stable={"revision": "aaaa1111", "resolved": "mlflow://fraud/7"},
        history=[{"revision": "bbbb2222", "resolved": "mlflow://fraud/8"}],
    )
    assert job.run(PATIENCE="0").returncode == 3


def test_job_without_the_right_to_annotate_waits_for_the_interval(job: Job) -> None:
    job.status(stable={"revision": "aaaa1111", "resolved": "mlflow://fraud/8"})
    (job.folder / "forbidden").touch()
    done = job.run()
    assert done.returncode == 0
    assert "the operator asks at its next interval: Error: forbidden" in done.stderr


@pytest.mark.parametrize("words", [[], ["alias"], ["alias", ""], ["delete", "8"]])
def test_release_script_refuses_an_incomplete_call(words: list[str]) -> None:
    script = [sys.executable, str(FOLDER / "release.py"), *words]
    done = subprocess.run(script, capture_output=True, text=True)
    assert (done.returncode, done.stderr[:6]) == (1, "usage:")


def workflow(name: str) -> Any:
    return yaml.safe_load((FOLDER / name).read_text())


def github() -> str:
    steps = workflow("github-actions.yaml")["jobs"]["release"]["steps"]
    return "\n".join(step.get("run", "") for step in steps)


def gitlab() -> str:
    file = workflow("gitlab-ci.yaml")
    jobs = [file[stage] for stage in file["stages"]]
    assert [one["stage"] for one in jobs] == file["stages"]
    return "\n".join(line for one in jobs for line in one["script"])


def argo() -> str:
    templates = {one["name"]: one for one in workflow("argo-workflow.yaml")["spec"]["templates"]}
    order = [step["template"] for [step] in templates["pipeline"]["steps"]]
    return "\n".join(templates[name]["script"]["source"] for name in order)


def test_account_of_kubeflow_has_the_rights_of_kubeflow_and_those_on_models() -> None:
    program = (FOLDER / "kubeflow_pipeline.py").read_text()
    objects = list(yaml.safe_load_all((FOLDER / "kubeflow-rbac.yaml").read_text()))
    account, runner, role, binding = objects
    runs, models = account["metadata"]["namespace"], role["metadata"]["namespace"]
    assert f'"NAMESPACE": "{models}"' in program
    assert f"service account {account['metadata']['name']}" in program
    subject = {"kind": "ServiceAccount", **account["metadata"]}
    assert (runner["metadata"]["namespace"], runner["roleRef"]["name"]) == (runs, "pipeline-runner")
    assert (binding["metadata"]["namespace"], binding["roleRef"]["name"]) == (
        models,
        role["metadata"]["name"],
    )
    assert runner["subjects"] == binding["subjects"] == [subject]
    # tests/integration/test_moving_references.py runs the steps with this rule of rbac.yaml.
    _, general, _ = yaml.safe_load_all((FOLDER / "rbac.yaml").read_text())
    assert role["rules"] == general["rules"][:1]


def test_every_file_has_exactly_the_commands_of_the_job() -> None:
    """Those of Kubeflow and Airflow are in test_pipeline_engines.py."""
    assert len(JOB) == 5
    for text in (gitlab(), argo()):
        assert commands(text) == JOB
    assert [line for line in commands(github()) if "pip" not in line] == JOB


def test_every_file_sets_the_variables_of_the_job_and_releases_one_version_at_a_time() -> None:
    assert set(VARIABLES) == {"MODEL", "ALIAS", "NAMESPACE", "DEPLOYMENT"}
    actions, jobs = workflow("github-actions.yaml"), workflow("gitlab-ci.yaml")
    spec = workflow("argo-workflow.yaml")["spec"]
    scripts = [one["script"] for one in spec["templates"] if "script" in one]
    for found in (
        actions["jobs"]["release"]["env"],
        jobs["variables"],
        *({one["name"]: one["value"] for one in script["env"]} for script in scripts),
    ):
        assert VARIABLES.items() <= found.items()
    assert actions["concurrency"]["cancel-in-progress"] is False
    assert jobs["release"]["resource_group"]
    assert spec["synchronization"]["mutexes"]


@pytest.mark.parametrize(
    ("code", "moved"), [(0, ["staging 8", "production 8"]), (1, ["staging 8"]), (3, ["staging 8"])]
)
def test_alias_of_production_moves_only_after_a_promotion_in_staging(
    job: Job, code: int, moved: list[str]
) -> None:
    shutil.copy(FOLDER / "environments.sh", job.folder / "job.sh")
    (job.folder / "version").write_text("8\n")
    job.python(train="false", register='echo "$ALIAS $3" >> aliases; #', release=sys.executable)
    job.status(stable={"revision": "cccc3333", "resolved": "mlflow://fraud/8"})
    job.result(code)
    assert job.run().returncode == code
    assert (job.folder / "aliases").read_text().splitlines() == moved
    waits = [call.split()[4] for call in job.calls if call.startswith("modeldeploy")]
    assert waits == [line.split()[0] for line in moved]


def test_page_about_environments_has_valid_models_for_the_script(tmp_path: Path) -> None:
    page = (FOLDER.parents[1] / "docs" / "guides" / "environments.md").read_text()
    texts = re.findall(r"(?ms)^```yaml\n(.*?)^```", page)
    models = [yaml.safe_load(text) for text in texts]
    example = (FOLDER.parent / "environments" / "models.yaml").read_text()
    gated, production = yaml.safe_load_all(example)
    assert models.pop() == gated
    assert models[1] == production
    script = (FOLDER / "environments.sh").read_text()
    [names] = re.findall(r"for environment in (.*); do", script)
    assert [one["metadata"]["namespace"] for one in models] == names.split()
    for body, text in zip([*models, gated], texts, strict=True):
        assert body["spec"]["model"]["uri"] == f"mlflow://fraud@{body['metadata']['namespace']}"
        path = tmp_path / "model.yaml"
        path.write_text(text)
        done = CliRunner().invoke(cli, ["lint", "--strict", str(path)])
        assert done.exit_code == 0, done.output
    begun = ("sh environments.sh", "ALIAS=production MODEL=fraud python release.py alias ")
    lines = "".join(re.findall(r"(?ms)^```bash\n(.*?)^```", page)).splitlines()
    assert all(line.startswith(begun) for line in lines)
    assert len(lines) == len(begun)


def test_page_has_the_commands_of_the_job() -> None:
    page = (FOLDER.parents[1] / "docs" / "guides" / "pipelines.md").read_text()
    [first, *others] = re.findall(r"(?ms)^```bash\n(.*?)^```", page)
    replaced = [
        line.replace('"$DEPLOYMENT"', "fraud").replace('"$NAMESPACE"', "models") for line in JOB
    ]
    assert commands(first) == replaced
    begun = tuple(line.split('"')[0] for line in JOB)
    assert all(line.startswith(begun) for other in others for line in commands(other))


def test_page_commits_each_version_and_waits_for_it(tmp_path: Path) -> None:
    page = (FOLDER.parents[1] / "docs" / "guides" / "pipelines.md").read_text()
    [script] = re.findall(r"(?ms)^```sh\n(set -eu.*?)^```", page)
    here, remote, tools = (tmp_path / name for name in ("clone", "remote", "bin"))
    tools.mkdir()
    executable(tools / "python", '#!/bin/sh\ncase "$*" in *register*) echo 8 ;; esac\n')
    calls = tmp_path / "calls"
    # The change of the file is a real one; the wait for the cluster is not.
    stub = f"""#!/bin/sh
        test "$1" != patch || exec env KUBECONFIG=/dev/null {clients.find("kubectl")} "$@"
        printf "%s\\n" "$*" >> {calls}
        """
    executable(tools / "kubectl", stub)
    person = {"NAME": "ci", "EMAIL": "ci@example.com"}
    git = {f"GIT_{who}_{key}": value for who in ("AUTHOR", "COMMITTER")
           for key, value in person.items()}  # fmt: skip
    environment = {**os.environ, **git, "PATH": f"{tools}:{os.environ['PATH']}"}
    begin = f"""git init -q --bare {remote} && git clone -q {remote} {here} 2>&1 && cd {here}
        mkdir deploy && cp {tmp_path}/model.yaml deploy/fraud.yaml && git add . && git commit -qm 7
        git push -q origin HEAD"""
    # What Git has is kept: the steps may not be in the cluster yet.
    committed: dict[str, Any] = {
        "apiVersion": "canarium.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {"name": "fraud", "labels": {"team": "risk"}},
        "spec": {
            "model": {"uri": "mlflow://fraud/7", "version": "7", "digest": "sha256:7"},
            "rollout": {"steps": [{"weight": 10, "pause": "5m"}]},
        },
    }
    (tmp_path / "model.yaml").write_text(yaml.safe_dump(committed))
    for text in (begin, f"cd {here}\n{script}"):
        subprocess.run(["sh", "-euc", text], env=environment, check=True, capture_output=True)
    shown = subprocess.run(
        ["git", "-C", remote, "show", "HEAD"], capture_output=True, text=True, check=True
    ).stdout
    assert "Release version 8 of fraud" in shown
    released = yaml.safe_load(
        subprocess.run(
            ["git", "-C", remote, "show", "HEAD:deploy/fraud.yaml"], capture_output=True, check=True
        ).stdout
    )
    expected = copy.deepcopy(committed)
    expected["spec"]["model"] = {"uri": "mlflow://fraud/8", "version": "8"}
    assert released == expected
    wait, status = (shlex.split(line) for line in calls.read_text().splitlines())
    assert "--for=jsonpath={.spec.model.version}=8" in wait
    status_command.make_context("status", status[2:], resilient_parsing=False)


def test_wait_is_a_valid_call_of_the_command_line() -> None:
    line = JOB[-1].replace('"$(cat revision)"', "abc23456").replace("$NAMESPACE", "ml")
    words = shlex.split(line.replace("$DEPLOYMENT", "fraud"))
    assert words[:3] == ["kubectl", "modeldeploy", "status"]
    context = status_command.make_context("status", words[3:], resilient_parsing=False)
    assert context.params["until"] == "gate"
    assert context.params["timeout"] == 7200
    assert isinstance(context, click.Context)


def test_scripts_need_no_more_than_is_stated() -> None:
    """`revision` runs in an image without MLflow."""
    tree = ast.parse((FOLDER / "release.py").read_text())
    top = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    names = {
        (node.module if isinstance(node, ast.ImportFrom) else node.names[0].name).partition(".")[0]
        for node in top
    }
    assert names <= sys.stdlib_module_names


def test_model_that_the_pipelines_release_has_no_finding() -> None:
    done = CliRunner().invoke(cli, ["lint", "--strict", str(FOLDER / "model.yaml")])
    assert done.exit_code == 0, done.output
    source = workflow("model.yaml")["spec"]["model"]
    assert source["uri"] == "mlflow://fraud@champion"
    assert source["follow"]
