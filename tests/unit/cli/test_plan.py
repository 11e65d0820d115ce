"""`plan` without a cluster, and its arithmetic of quotas and nodes."""

from __future__ import annotations

import copy
import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from canarium.core.decision.plan import DeleteDeployment
from canarium.core.facts.revision import digest_v1, identity_v1, new_record, seal, short_name
from canarium.simulation.rollout import simulate
from canarium.simulation.scenario import Scenario
from canarium_cli.main import cli
from canarium_cli.planning.capacity import exceeded, fitting, quantity, requests
from canarium_cli.planning.changes import revision_of
from canarium_cli.planning.progress import Running, running
from canarium_cli.verbs.plan import _in_progress, _revision_text

ROOT = Path(__file__).parents[3]
CANARY = ROOT / "examples" / "canary.yaml"


def run(*words: str, stdin: str | None = None) -> Result:
    return CliRunner().invoke(cli, ["plan", *words], input=stdin)


def plan(text: str, *words: str) -> dict[str, Any]:
    done = run("-f", "-", *words, "-o", "json", stdin=text)
    assert done.exit_code == 0, done.output
    return dict(json.loads(done.stdout))


def test_new_version_is_a_new_revision_with_its_objects_and_pods() -> None:
    text = CANARY.read_text().replace('version: "1"', 'version: "2"')
    found = plan(text, "--against", str(CANARY))
    assert found["revision"]["new"] is True
    assert [(c["path"], c["decides"]) for c in found["changes"]] == [("spec.model.version", True)]
    name = found["revision"]["name"]
    assert [(w["action"], w["object"]) for w in found["objects"]] == [
        ("create", f"ControllerRevision/fraud-{name}"),
        ("create", f"Deployment/fraud-{name}"),
        ("create", f"PodDisruptionBudget/fraud-{name}"),
        ("change", "Service/fraud"),
        ("delete", "Deployment of the previous version"),
    ]
    # R5: one pod for 25 % beside three, three for 50 %.
    assert [(u["weight"], u["candidate"], u["earlier"]) for u in found["pods"]] == [
        (0, 1, 3),
        (25, 1, 3),
        (50, 3, 3),
        (100, 3, 3),
    ]


def test_settings_alone_start_no_rollout() -> None:
    text = CANARY.read_text().replace("replicas: 3", "replicas: 5")
    found = plan(text, "--against", str(CANARY))
    assert found["revision"]["new"] is False
    assert [(c["path"], c["before"], c["after"]) for c in found["changes"]] == [
        ("spec.scaling.replicas", 3, 5)
    ]
    assert found["pods"] == []
    assert [w["action"] for w in found["objects"]] == ["change"]


def test_lineage_decides_nothing() -> None:
    text = CANARY.read_text().replace("4f1c2d9", "abcdef0")
    found = plan(text, "--against", str(CANARY))
    assert (found["revision"]["new"], [c["decides"] for c in found["changes"]]) == (False, [False])


def test_text_without_a_known_model() -> None:
    done = run("-f", str(CANARY))
    assert done.exit_code == 0
    assert "whether it is new depends on the cluster (--server)" in done.output
    gateway = run("-f", str(ROOT / "examples" / "gateway.yaml"))
    assert "change HTTPRoute/fraud-gateway" in gateway.output


def test_stored_revision_of_the_same_identity_is_found() -> None:
    spec = {"model": {"format": "sklearn", "version": "1"}}
    identity = identity_v1(spec)
    digest = digest_v1(identity)
    data = {"algorithm": "v1", "digest": digest, "identity": identity}
    record = {
        "metadata": {
            "labels": {"canarium.dev/revision": short_name(digest)},
            "annotations": {"canarium.dev/verdict": "Quarantined"},
        },
        "revision": 1,
        "data": {**data, "seal": seal(data)},
    }
    known = revision_of(spec, [record])
    assert (known.revision, known.existing, known.quarantined) == (short_name(digest), True, True)
    assert revision_of({"model": {"format": "onnx"}}, [record]).existing is False


@pytest.mark.parametrize(
    ("new", "decides", "text"),
    [
        (True, True, "new revision abcd2345"),
        (False, True, "returns to the stored revision abcd2345"),
        (False, False, "no rollout, abcd2345"),
    ],
)
def test_title_names_a_new_or_a_stored_revision(new: bool, decides: bool, text: str) -> None:
    revision = {
        "name": "abcd2345",
        "new": new,
        "resolved": True,
        "known": True,
        "quarantined": False,
    }
    assert _revision_text({"revision": revision, "changes": [{"decides": decides}]}).startswith(
        text
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("-f", "absent.yaml"), "Cannot be read"),
        (("-f", str(CANARY), "--server", "--against", str(CANARY)), "exclude each other"),
        (("-f", str(CANARY), "--against", "absent.yaml"), "Cannot be read"),
    ],
)
def test_wrong_argument_is_one_sentence(words: tuple[str, ...], message: str) -> None:
    done = run(*words)
    assert done.exit_code == 2
    assert message in done.output


@pytest.mark.parametrize(
    ("text", "number"),
    [("500m", 0.5), ("2", 2.0), ("1Gi", 2.0**30), ("1k", 1000.0), ("x", 0.0), (3, 3.0)],
)
def test_quantities(text: Any, number: float) -> None:
    assert quantity(text) == number


POD = {
    "containers": [
        {"resources": {"requests": {"cpu": "500m"}, "limits": {"memory": "1Gi"}}},
        {"resources": {"requests": {"cpu": "250m"}}},
    ],
    "initContainers": [{"resources": {"requests": {"cpu": "2"}}}],
}


def test_requests_take_limits_and_the_largest_init_container() -> None:
    assert requests(POD) == {"cpu": 2.0, "memory": 2.0**30}


def test_quota_without_room_is_named() -> None:
    quota = {
        "metadata": {"name": "team"},
        "status": {"hard": {"requests.cpu": "5", "pods": "10"}, "used": {"requests.cpu": "2"}},
    }
    (message,) = exceeded([quota], POD, 2)
    assert message.startswith("ResourceQuota/team has 3 of requests.cpu left, and 2 more pods need")
    assert list(exceeded([quota], POD, 1)) == []


def _selector(name: str, operator: str, *values: str) -> dict[str, Any]:
    expression = {"scopeName": name, "operator": operator, "values": list(values)}
    return {"scopeSelector": {"matchExpressions": [expression]}}


@pytest.mark.parametrize(
    ("spec", "pod", "counted"),
    [
        ({"scopes": ["BestEffort"]}, POD, False),
        ({"scopes": ["BestEffort"]}, {"containers": [{}]}, True),
        ({"scopes": ["NotBestEffort", "NotTerminating"]}, POD, True),
        ({"scopes": ["Terminating"]}, POD, False),
        (_selector("PriorityClass", "In", "high"), POD, False),
        (_selector("PriorityClass", "In", "high"), {**POD, "priorityClassName": "high"}, True),
        (_selector("PriorityClass", "NotIn", "low"), POD, True),
        (_selector("PriorityClass", "Exists"), POD, False),
        (_selector("BestEffort", "Exists"), POD, False),
    ],
)
def test_quota_with_a_scope_counts_the_pods_of_that_scope(
    spec: dict[str, Any], pod: dict[str, Any], counted: bool
) -> None:
    status = {"hard": {"pods": "1"}, "used": {}}
    quota = {"metadata": {"name": "team"}, "spec": spec, "status": status}
    assert bool(list(exceeded([quota], pod, 2))) is counted


def test_sidecars_and_overhead_are_requested_too() -> None:
    def container(cpu: str, **more: Any) -> dict[str, Any]:
        return {"resources": {"requests": {"cpu": cpu}}, **more}

    sidecar, first = container("1", restartPolicy="Always"), container("3")
    pod = {"containers": [container("2")], "initContainers": [sidecar, first]}
    assert requests(pod) == {"cpu": 4.0}
    assert requests({**pod, "initContainers": [first, sidecar]}) == {"cpu": 3.0}
    assert requests({**pod, "overhead": {"cpu": "500m"}}) == {"cpu": 4.5}


def node(name: str, **spec: Any) -> dict[str, Any]:
    status = {
        "allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"},
        "conditions": [{"type": "Ready", "status": "True"}],
    }
    return {"metadata": {"name": name, "labels": {"disk": "ssd"}}, "spec": spec, "status": status}


def test_pods_fit_on_nodes_that_take_them() -> None:
    assert fitting([node("a"), node("b")], [], POD, 9) == 4
    running = {"spec": {**POD, "nodeName": "a"}, "status": {"phase": "Running"}}
    assert fitting([node("a")], [running], POD, 9) == 1
    ended = {**running, "status": {"phase": "Succeeded"}}
    assert fitting([node("a")], [ended], POD, 9) == 2
    assert fitting([node("a", unschedulable=True)], [], POD, 9) == 0
    assert fitting([node("a")], [], {**POD, "nodeSelector": {"disk": "hdd"}}, 9) == 0
    taint = {"key": "gpu", "value": "yes", "effect": "NoSchedule"}
    tainted = node("a", taints=[taint])
    assert fitting([tainted], [], POD, 9) == 0
    tolerating = {**POD, "tolerations": [{"key": "gpu", "operator": "Exists"}]}
    assert fitting([tainted], [], tolerating, 9) == 2


@pytest.mark.parametrize(
    ("expressions", "fits"),
    [
        ([("disk", "In", ["ssd", "nvme"])], True),
        ([("disk", "NotIn", ["ssd"])], False),
        ([("gpu", "Exists", [])], False),
        ([("gpu", "DoesNotExist", []), ("disk", "Exists", [])], True),
        ([("cores", "Gt", ["4"])], True),
        ([("cores", "Lt", ["8"])], False),
        ([], False),
    ],
)
def test_required_affinity_decides_where_pods_fit(
    expressions: list[tuple[str, str, list[str]]], fits: bool
) -> None:
    term = {
        "matchExpressions": [
            dict(zip(("key", "operator", "values"), x, strict=True)) for x in expressions
        ]
    }
    rule = {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": [term]}}
    pod = {**POD, "affinity": {"nodeAffinity": rule}}
    place = node("a")
    place["metadata"]["labels"]["cores"] = "8"
    assert fitting([place], [], pod, 2) == (2 if fits else 0)
    by_name = {"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["a"]}]}
    rule["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"].append(by_name)
    assert fitting([place], [], pod, 2) == 2
    assert (
        fitting(
            [node("b")],
            [],
            {
                **pod,
                "affinity": {
                    "nodeAffinity": {
                        "requiredDuringSchedulingIgnoredDuringExecution": {
                            "nodeSelectorTerms": [by_name]
                        }
                    }
                },
            },
            2,
        )
        == 0
    )


def test_startup_budget_of_the_runtime_extends_the_deadline() -> None:
    text = CANARY.read_text()
    found = plan(text)
    # That of the built-in runtime for sklearn.
    assert found["deadlines"] == {"progressSeconds": 900.0, "startupBudgetSeconds": 600.0}
    own = text.replace(
        "  model:\n", "  runtime: {image: own, readiness: {path: /ready}}\n  model:\n"
    )
    assert plan(own)["deadlines"] == {"progressSeconds": 600.0, "startupBudgetSeconds": None}
    assert "take longer than 15m to become ready" in run("-f", str(CANARY)).output


def test_simulation_replaces_a_rollout_under_way() -> None:
    spec = yaml.safe_load(CANARY.read_text())["spec"]
    running = copy.deepcopy(spec)
    running["model"]["version"], running["rollout"]["steps"][0]["pause"] = "8", "Manual"
    spec["model"]["version"] = "9"
    found = simulate(spec, Scenario(running=running, running_weight=25))
    assert found.moments[-1].phase == "Ready"
    deleted = [a.revision for a in found.actions if isinstance(a, DeleteDeployment)]
    # That of the candidate first, and that of stable after the bake.
    assert len(set(deleted)) == 2
    assert found.usage[0].earlier >= 3


def test_simulation_ends_a_bake_and_frees_its_warm_pods_first() -> None:
    spec = yaml.safe_load(CANARY.read_text())["spec"]
    running = copy.deepcopy(spec)
    running["model"]["version"], spec["model"]["version"] = "8", "9"
    found = simulate(spec, Scenario(running=running, running_weight=100))
    # Three of stable and three warm ones when the file is applied; the new ones need no more room.
    assert (found.before, found.peak) == (6, 6)
    assert found.usage[0].earlier >= 3
    assert found.moments[-1].phase == "Ready"
    alone = simulate(spec, Scenario())
    assert (alone.before, alone.peak) == (3, 6)


def test_bake_under_way_is_reported_with_its_warm_version() -> None:
    status = {
        "phase": "Baking",
        "stable": {"revision": "bbbb2222", "version": "2"},
        "previous": {"revision": "aaaa1111", "version": "1"},
    }
    found = running({"status": status})
    assert found == Running("bbbb2222", "2", "Baking", 100, "aaaa1111")
    assert running({"status": {**status, "phase": "Ready", "previous": None}}) is None
    words = {
        name: _in_progress(asdict(found), {"name": name, "new": True})
        for name in ("aaaa1111", "cccc3333")
    }
    assert words["cccc3333"] == (
        "The bake of version 2 (bbbb2222) is not over: this file ends it, and the warm pods of "
        "aaaa1111 are deleted first."
    )
    assert words["aaaa1111"].endswith("the warm pods of aaaa1111 serve again.")


def test_stored_revision_of_an_alias_is_found_by_its_spec() -> None:
    spec = {"model": {"uri": "mlflow://fraud@champion", "endpoint": "https://mlflow.example"}}
    followed = {"model": {**spec["model"], "follow": {"interval": "2m"}}}
    records = []
    for number in (7, 8):
        new = new_record(spec, (), resolved=f"mlflow://fraud/{number}")
        data = {"algorithm": new.algorithm, "digest": new.digest, "identity": new.identity}
        records.append(
            {
                "metadata": {"labels": {"canarium.dev/revision": new.revision}},
                "revision": number,
                "data": {**data, "seal": seal(data)},
            }
        )
    newest = records[-1]["metadata"]["labels"]["canarium.dev/revision"]
    for wanted in (spec, followed):
        known = revision_of(wanted, records)
        assert (known.revision, known.existing) == (newest, True)


@pytest.mark.parametrize("uri", ["hf://o/m@main", "oci://r/m:prod"])
def test_new_revision_of_a_reference_that_moves_has_no_name_yet(uri: str) -> None:
    model = yaml.safe_load(CANARY.read_text())
    model["spec"]["model"]["uri"] = uri
    text = yaml.safe_dump(model)
    assert plan(text)["revision"] == {
        "name": "unresolved",
        "new": True,
        "known": False,
        "quarantined": False,
        "resolved": False,
    }
    printed = run("-f", "-", stdin=text).output
    assert "revision, named by what spec.model.uri names when it is stored" in printed


def test_gates_at_which_the_version_waits_are_listed() -> None:
    model = yaml.safe_load(CANARY.read_text())
    web = {"url": "https://risk.example/decide"}
    gate = {"name": "risk", "before": "Weight", "weight": 50, "web": web}
    job = {"name": "eval", "before": "Traffic", "job": {"image": "eval:1"}}
    model["spec"]["rollout"]["gates"] = [gate, job]
    text = yaml.safe_dump(model)
    assert plan(text)["gates"] == [
        {"name": "risk", "kind": "Web", "before": "Weight", "weight": 50},
        {"name": "eval", "kind": "Job", "before": "Traffic", "weight": None},
    ]
    assert "Waits at gate risk (Web) before Weight 50." in run("-f", "-", stdin=text).output
