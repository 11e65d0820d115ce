"""`plan --server` and `runtimes` against a real API server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from canarium_cli.main import cli
from sandbox import clients
from sandbox.controlplane import ControlPlane

ROOT = Path(__file__).parents[3]
CANARY = ROOT / "examples" / "canary.yaml"
RUNTIME = ROOT / "examples" / "runtimes" / "own-runtime.yaml"


@pytest.fixture(scope="module")
def namespace(plane: ControlPlane) -> Iterator[str]:
    plane.kubectl("create", "namespace", "plans")
    yield "plans"
    plane.kubectl("delete", "namespace", "plans", "--wait=false")


@pytest.fixture
def run(plane: ControlPlane, namespace: str, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("KUBECTL", str(clients.find("kubectl")))

    def invoke(*words: str, stdin: str | None = None) -> Result:
        where = ("-n", namespace, "--kubeconfig", str(plane.kubeconfig))
        return CliRunner().invoke(cli, [*words, *where], input=stdin)

    return invoke


def verdicts(done: Result) -> dict[str, dict[str, Any]]:
    return {v["check"]: v for v in json.loads(done.stdout)["cluster"]}


def test_plan_of_a_new_model_names_what_the_cluster_lacks(
    run: Any, plane: ControlPlane, namespace: str
) -> None:
    plane.kubectl("create", "quota", "small", "--hard=pods=1", "-n", namespace)
    counted = ("wait", "quota/small", "--for=jsonpath={.status.used.pods}=0", "--timeout=60s")
    plane.kubectl(*counted, "-n", namespace)
    done = run("plan", "-f", str(CANARY), "--server", "-o", "json")
    assert done.exit_code == 0, done.output
    found = json.loads(done.stdout)
    assert found["revision"]["new"] is True
    assert ("create", "Service/fraud") in {(w["action"], w["object"]) for w in found["objects"]}
    answers = verdicts(done)
    assert answers["rights"]["ok"]
    assert answers["admission"]["ok"]
    assert answers["quota"]["message"].startswith(
        "ResourceQuota/small has 1 of pods left, and 3 more pods need 3"
    )
    # This control plane has no node.
    assert answers["nodes"]["message"].startswith("Nodes have room for 0 of 3 more pods")
    assert "not checked are affinity between pods, topology spread" in answers["nodes"]["message"]
    plane.kubectl("delete", "quota", "small", "-n", namespace)


def test_plan_of_an_applied_model_compares_with_it(
    run: Any, plane: ControlPlane, namespace: str
) -> None:
    body = yaml.safe_load(CANARY.read_text())
    body["metadata"]["name"] = "planned"
    text = json.dumps(body)
    plane.kubectl("apply", "-n", namespace, "-f", "-", stdin=text)
    body["spec"]["scaling"]["replicas"] = 4
    done = run("plan", "-f", "-", "--server", "-o", "json", stdin=json.dumps(body))
    found = json.loads(done.stdout)
    assert [c["path"] for c in found["changes"]] == ["spec.scaling.replicas"]
    assert found["revision"]["new"] is False
    assert done.exit_code == 0


def test_plan_of_a_person_without_rights_is_refused(run: Any) -> None:
    done = run("plan", "-f", str(CANARY), "--server", "--as", "nobody")
    assert done.exit_code == 5
    assert "forbidden" in done.output.lower()


def test_plan_that_the_cluster_refuses_exits_with_7(plane: ControlPlane, run: Any) -> None:
    words = ("plan", "-f", str(CANARY), "--server", "-n", "absent", "-o", "json")
    done = CliRunner().invoke(cli, [*words, "--kubeconfig", str(plane.kubeconfig)])
    assert done.exit_code == 7, done.output
    answer = verdicts(done)["admission"]
    assert answer["rejected"]
    assert "absent" in answer["message"]


def test_runtimes_of_the_cluster_are_listed_and_shown(run: Any, plane: ControlPlane) -> None:
    (runtime,) = [
        x for x in yaml.safe_load_all(RUNTIME.read_text()) if x["kind"] == "ClusterModelRuntime"
    ]
    plane.kubectl("apply", "-f", "-", stdin=json.dumps(runtime))
    name = runtime["metadata"]["name"]
    listed = json.loads(run("runtimes", "list", "-o", "json").stdout)
    assert {"name": name, "kind": "ClusterModelRuntime"}.items() <= listed[0].items()
    assert listed[0]["usedBy"] == []
    shown = run("runtimes", "show", name, "-o", "json")
    assert json.loads(shown.stdout)["spec"]["image"] == runtime["spec"]["image"]
    plane.kubectl("delete", "clustermodelruntime", name)
