"""`init` and `runtimes` without a cluster."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result

from canarium.render.runtime_catalog import built_in
from canarium_cli.main import cli
from canarium_cli.verbs.runtimes import _entry
from cli.standin import Standin

ROOT = Path(__file__).parents[3]
CANARY = str(ROOT / "examples" / "canary.yaml")


def run(*words: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(cli, list(words), input=stdin)


@pytest.mark.parametrize("strategy", ["Canary", "BlueGreen", "Recreate"])
@pytest.mark.parametrize(
    "words", [(), ("--uri", "hf://a/b", "--runtime", "triton"), ("--format", "xgboost")]
)
def test_scaffold_has_no_findings(words: tuple[str, ...], strategy: str) -> None:
    made = run("init", "fraud", *words, "--strategy", strategy)
    assert made.exit_code == 0, made.output
    linted = run("lint", "-", "--strict", stdin=made.stdout)
    assert linted.exit_code == 0, linted.output
    assert yaml.safe_load(made.stdout)["spec"]["rollout"]["strategy"] == strategy


def test_scaffold_is_not_printed_when_it_would_be_invalid() -> None:
    for words in (("Fraud",), ("fraud", "--uri", "s4://x")):
        done = run("init", *words)
        assert done.exit_code == 2
        assert done.stdout == ""


def test_runtime_of_the_cluster_is_a_warning() -> None:
    done = run("init", "fraud", "--runtime", "ours")
    assert done.exit_code == 0
    assert "spec.runtime.name" in done.stderr


def test_list_has_every_built_in_runtime() -> None:
    done = run("runtimes", "list", "--offline", "-o", "json")
    assert [x["name"] for x in json.loads(done.stdout)] == sorted(built_in())


def test_show_prints_a_specification() -> None:
    done = run("runtimes", "show", "triton", "--offline")
    assert yaml.safe_load(done.stdout)["spec"] == dict(built_in()["triton"].spec)
    assert run("runtimes", "show", "nosuch", "--offline").exit_code == 4
    assert run("runtimes", "show", "--offline").exit_code == 2


def test_choice_of_a_runtime_has_a_reason() -> None:
    done = run("runtimes", "list", "-f", CANARY, "--offline")
    assert "fraud: built-in runtime mlserver-sklearn" in done.output
    assert "serves format sklearn" in done.output


def test_rendered_pod_is_that_of_the_operator() -> None:
    done = run("runtimes", "render", "-f", CANARY, "--offline")
    (container,) = yaml.safe_load(done.stdout)["spec"]["containers"]
    assert container["name"] == "server"
    assert "mlserver" in container["image"]
    assert run("runtimes", "render", "--offline").exit_code == 2


def test_model_with_an_older_digest_is_outdated() -> None:
    runtime = built_in()["triton"]

    def record(model: str, number: int, digest: str) -> dict[str, object]:
        stored = {"name": "triton", "kind": runtime.kind, "digest": digest}
        labels = {"canarium.dev/model": model}
        return {"metadata": {"labels": labels}, "revision": number, "data": {"runtime": stored}}

    records = [record("a", 1, "old"), record("a", 2, runtime.digest), record("b", 1, "old")]
    entry = _entry(runtime, records)
    assert (entry["usedBy"], entry["outdated"]) == (["a", "b"], ["b"])


AWAY = "The connection to the server 127.0.0.1:9 was refused - did you specify the right host?"


@pytest.mark.parametrize(
    "words", [("list",), ("show", "triton"), ("render", "-f", CANARY), ("list", "-f", CANARY)]
)
def test_runtimes_of_an_unreachable_cluster_are_not_left_out_silently(
    kubectl: Standin, words: tuple[str, ...]
) -> None:
    kubectl.fails(AWAY)
    done = kubectl.run("runtimes", *words)
    assert (done.code, done.out) == (5, "")
    assert done.err == (
        f"Error: {AWAY} Check that the cluster runs, and the --context. For the built-in runtimes "
        "alone, use --offline.\n"
    )


def test_users_of_a_runtime_are_unknown_without_the_right_to_list_records(
    kubectl: Standin,
) -> None:
    kubectl.fails("Error from server (Forbidden): no right", "get", "controllerrevisions.apps")
    kubectl.answers("get", out={"kind": "List", "items": []})
    done = kubectl.run("runtimes", "list", "-o", "json")
    assert done.code == 0
    assert {entry["usedBy"] for entry in json.loads(done.out)} == {None}
    assert done.err.startswith("Note: Who uses a runtime is unknown: no right. Ask for the right")


def test_runtimes_that_a_person_may_not_read_are_noted(kubectl: Standin) -> None:
    own = {"metadata": {"name": "mine"}, "spec": {"formats": [{"name": "sklearn"}]}}
    kubectl.answers("get", "modelruntimes.canarium.dev", out={"kind": "List", "items": [own]})
    kubectl.fails("Error from server (Forbidden): clustermodelruntimes is forbidden: no right")
    done = kubectl.run("runtimes", "list", "-o", "json")
    assert done.code == 0
    assert json.loads(done.out)[0]["name"] == "mine"
    assert done.err.startswith("Note: Without any ClusterModelRuntime: clustermodelruntimes is")
