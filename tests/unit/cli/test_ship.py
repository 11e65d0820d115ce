"""`ship`, `rollback` and `restart`: what is printed, what is written, and who is warned."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml

from canarium.core.facts.revision import digest_v1, identity_v1
from canarium_cli.changes import gitops_tool, manifest, patch, returned, shipped
from cli.standin import Standin

MODELS = "modeldeployments.canarium.dev"


def model(**meta: Any) -> dict[str, Any]:
    return {
        "apiVersion": "canarium.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {
            "name": "fraud",
            "namespace": "risk",
            "uid": "1",
            "resourceVersion": "7",
            "managedFields": [{"manager": "kubectl-client-side-apply"}],
            "labels": {"team": "risk"},
            "annotations": {
                "canarium.dev/promote": "bbbb2222/1",
                "kubectl.kubernetes.io/last-applied-configuration": "{}",
                "contact": "risk@example.com",
            },
            **meta,
        },
        "spec": {
            "model": {"uri": "s3://m/7", "version": "7", "digest": "sha256:7"},
            "runtime": {"image": "m:7"},
            "scaling": {"replicas": 3},
        },
        "status": {"phase": "Ready"},
    }


def test_manifest_is_what_a_user_commits(kubectl: Standin) -> None:
    kubectl.answers("get", MODELS, out=model())
    done = kubectl.run("ship", "fraud", "--uri", "s3://m/8", "--version", "8")
    assert done.code == 0
    assert yaml.safe_load(done.out) == {
        "apiVersion": "canarium.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {
            "name": "fraud",
            "namespace": "risk",
            "labels": {"team": "risk"},
            "annotations": {"contact": "risk@example.com"},
        },
        "spec": {
            "model": {"uri": "s3://m/8", "version": "8"},
            "runtime": {"image": "m:7"},
            "scaling": {"replicas": 3},
        },
    }
    assert "spec.model.digest is removed" in done.err
    assert len(kubectl.calls) == 1, "nothing is written"


def test_manifest_has_no_marks_of_tools_and_keeps_those_of_users() -> None:
    of_tools = {
        "labels": (
            "argocd.argoproj.io/instance",
            "kustomize.toolkit.fluxcd.io/name",
            "kustomize.toolkit.fluxcd.io/namespace",
            "helm.toolkit.fluxcd.io/name",
            "helm.toolkit.fluxcd.io/namespace",
        ),
        "annotations": (
            "argocd.argoproj.io/tracking-id",
            "argocd.argoproj.io/installation-id",
            "meta.helm.sh/release-name",
            "meta.helm.sh/release-namespace",
        ),
    }
    of_users = {
        "labels": {"team": "risk", "app.kubernetes.io/instance": "fraud"},
        "annotations": {
            "argocd.argoproj.io/sync-wave": "2",
            "kustomize.toolkit.fluxcd.io/prune": "disabled",
        },
    }
    marks = {
        part: dict.fromkeys(names, "models") | of_users[part] for part, names in of_tools.items()
    }
    found = manifest(model(**marks), {})["metadata"]
    assert {part: found[part] for part in of_users} == of_users


def test_digest_of_the_same_uri_is_kept() -> None:
    assert shipped(model(), version="7b")["model"]["digest"] == "sha256:7"
    assert shipped(model(), uri="s3://m/8", digest="sha256:8")["model"]["digest"] == "sha256:8"


def test_apply_patches_only_what_differs_and_only_if_no_other_client_did(kubectl: Standin) -> None:
    kubectl.answers("get", MODELS, out=model())
    kubectl.answers("patch")
    done = kubectl.run("ship", "fraud", "--version", "8", "--apply")
    assert (done.code, done.err) == (0, "")
    words = kubectl.calls[-1]
    assert words[:4] == ["patch", MODELS, "fraud", "--type=json"]
    assert "--field-manager=kubectl-modeldeploy" in words
    before, after = json.loads(words[4].removeprefix("--patch="))
    assert (before["op"], after["op"]) == ("test", "add")
    assert before["path"] == after["path"] == "/spec/model"
    assert before["value"]["version"] == "7"
    assert after["value"] == {"uri": "s3://m/7", "version": "8", "digest": "sha256:7"}


def test_change_by_another_client_meanwhile_is_not_overwritten(kubectl: Standin) -> None:
    kubectl.answers("get", MODELS, out=model())
    kubectl.fails(
        "The request is invalid: the server rejected our request due to an error in our request: "
        "testing path /spec/model value failed",
        "patch",
    )
    done = kubectl.run("ship", "fraud", "--version", "8", "--apply")
    assert done.code == 7
    assert "changed by another client in the meantime" in done.err


def test_invalid_value_is_a_usage_error_with_the_servers_words(kubectl: Standin) -> None:
    kubectl.answers("get", MODELS, out=model())
    kubectl.fails(
        'The ModelDeployment "fraud" is invalid: spec.model.uri: Invalid value: "x": no scheme',
        "patch",
    )
    done = kubectl.run("ship", "fraud", "--uri", "x", "--apply")
    assert done.code == 2
    assert "spec.model.uri: Invalid value" in done.err


@pytest.mark.parametrize(
    ("meta", "tool"),
    [
        ({"annotations": {"argocd.argoproj.io/tracking-id": "a:b"}}, "Argo CD"),
        ({"labels": {"argocd.argoproj.io/instance": "models"}}, "Argo CD"),
        ({"managedFields": [{"manager": "argocd-controller"}]}, "Argo CD"),
        ({"labels": {"kustomize.toolkit.fluxcd.io/name": "models"}}, "Flux"),
        ({"labels": {"helm.toolkit.fluxcd.io/name": "models"}}, "Flux"),
        ({}, ""),
    ],
)
def test_tool_that_manages_the_model_is_named(
    kubectl: Standin, meta: dict[str, Any], tool: str
) -> None:
    assert gitops_tool(model(**meta)) == tool
    kubectl.answers("get", MODELS, out=model(**meta))
    kubectl.answers("patch")
    done = kubectl.run("restart", "fraud", "--apply")
    assert done.code == 0
    assert done.err.startswith(f"Warning: {tool} applies this model") if tool else not done.err


def test_restart_changes_the_token_and_nothing_else(kubectl: Standin) -> None:
    kubectl.answers("get", MODELS, out=model())
    spec = yaml.safe_load(kubectl.run("restart", "fraud").out)["spec"]
    assert spec.pop("restartToken")
    assert spec == model()["spec"]


def test_terminal_is_asked_before_a_change(kubectl: Standin) -> None:
    kubectl.answers("get", MODELS, out=model())
    kubectl.answers("patch")
    code, shown = kubectl.run_at_terminal("n\n", "restart", "fraud", "--apply")
    assert code == 7
    assert "fraud: changes spec.restartToken, which starts a rollout" in shown
    assert [x[0] for x in kubectl.calls] == ["get"]
    assert kubectl.run_at_terminal("n\n", "restart", "fraud", "--apply", "--yes")[0] == 0
    assert kubectl.calls[-1][0] == "patch"


def record(spec: dict[str, Any], **data: Any) -> dict[str, Any]:
    identity = identity_v1(spec)
    return {
        "kind": "ControllerRevision",
        "metadata": {"name": "fraud-aaaa1111", "labels": {"canarium.dev/revision": "aaaa1111"}},
        "revision": 1,
        "data": {
            "algorithm": "v1",
            "digest": digest_v1(identity),
            "identity": identity,
            "model": spec["model"],
            **data,
        },
    }


OLD = {
    "model": {"uri": "s3://m/6", "version": "6", "lineage": {"runId": "6"}},
    "resources": {"limits": {"cpu": "1"}},
    "restartToken": "r1",
}


def test_rollback_restores_what_decides_the_revision_and_keeps_the_rest(kubectl: Standin) -> None:
    kubectl.answers("get", MODELS, out=model())
    kubectl.answers("get", "controllerrevisions.apps", out={"kind": "List", "items": [record(OLD)]})
    done = kubectl.run("rollback", "fraud", "--to", "1")
    assert (done.code, done.err) == (0, "")
    assert yaml.safe_load(done.out)["spec"] == {**OLD, "scaling": {"replicas": 3}}


def test_patch_of_a_rollback_removes_what_the_revision_did_not_have() -> None:
    spec = returned(model(), record(OLD))
    assert spec
    steps = json.loads(patch(model(), spec))
    assert {"op": "remove", "path": "/spec/runtime"} in steps
    assert not any(x["path"] == "/spec/scaling" for x in steps)


def test_rollback_keeps_the_write_back_of_a_registered_model() -> None:
    endpoint = "http://mlflow"
    old = {"model": {"uri": "mlflow://fraud/6", "endpoint": endpoint}}
    now = model()
    now["spec"]["model"] = {"uri": "mlflow://fraud/7", "endpoint": endpoint, "writeBack": {}}
    spec = returned(now, record(old))
    assert spec
    assert spec["model"] == {**old["model"], "writeBack": {}}
    spec = returned(now, record(OLD))
    assert spec
    assert "writeBack" not in spec["model"], "it does not apply to another source"


@pytest.mark.parametrize("data", [{"algorithm": "v1-name"}, {"identity": {}}, {"digest": "0"}])
def test_record_without_its_spec_is_refused(kubectl: Standin, data: dict[str, Any]) -> None:
    kubectl.answers("get", MODELS, out=model())
    items = [record(OLD, **data)]
    kubectl.answers("get", "controllerrevisions.apps", out={"kind": "List", "items": items})
    done = kubectl.run("rollback", "fraud", "--to", "aaaa1111", "--apply")
    assert done.code == 1
    assert "no longer has the spec" in done.err


def test_failed_revision_is_warned_of(kubectl: Standin) -> None:
    failed = record(OLD)
    failed["metadata"]["annotations"] = {"canarium.dev/verdict": "Quarantined"}
    kubectl.answers("get", MODELS, out=model())
    kubectl.answers("get", "controllerrevisions.apps", out={"kind": "List", "items": [failed]})
    done = kubectl.run("rollback", "fraud", "--to", "aaaa1111")
    assert "It is not tried again until you run `kubectl modeldeploy retry fraud`" in done.err


def test_same_spec_is_nothing_to_do(kubectl: Standin) -> None:
    kubectl.answers("get", MODELS, out=model())
    done = kubectl.run("ship", "fraud", "--version", "7", "--apply")
    assert done.code == 0
    assert "nothing to change" in done.err
    assert len(kubectl.calls) == 1


@pytest.mark.parametrize(
    "words", [[], ["--version", "8", "--yes"], ["--version", "8", "--dry-run"]]
)
def test_usage(kubectl: Standin, words: list[str]) -> None:
    kubectl.answers("get", MODELS, out=model())
    assert kubectl.run("ship", "fraud", *words).code == 2


def test_same_spec_is_printed_all_the_same(kubectl: Standin) -> None:
    kubectl.answers("get", MODELS, out=model())
    changed = kubectl.run("ship", "fraud", "--version", "8")
    done = kubectl.run("ship", "fraud", "--version", "7")
    assert done.code == 0
    assert done.out == changed.out.replace("8", "7")
    assert "nothing to change" in done.err


@pytest.mark.parametrize(
    ("words", "field"),
    [
        (("--uri", "not a uri"), "spec.model.uri"),
        (("--digest", "abc"), "spec.model.digest"),
    ],
)
def test_manifest_that_the_api_server_would_reject_is_not_printed(
    kubectl: Standin, words: tuple[str, ...], field: str
) -> None:
    kubectl.answers("get", MODELS, out=model())
    done = kubectl.run("ship", "fraud", *words)
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines()[-1].startswith(f"Error: {field}: ")


def test_record_of_a_model_without_revisions_is_explained(kubectl: Standin) -> None:
    kubectl.answers("get", MODELS, out=model())
    kubectl.fails('Error from server (NotFound): services "fraud" not found', "get", "services")
    kubectl.answers("get", out={"kind": "List", "items": []})
    done = kubectl.run("record", "fraud")
    assert (done.code, done.out) == (0, "")
    assert "no stored revision" in done.err
