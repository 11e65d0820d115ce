"""Approval gates on a real API server: RBAC decides who approves, by the chart's policy (R27)."""

from __future__ import annotations

import json
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from integration import rights
from integration.cli.program import Program
from integration.conftest import PATIENT_LEASE, Cluster, Operator
from integration.desk import Desk
from sandbox.controlplane import ControlPlane

rule = pytest.mark.rule
GATES = [
    {"name": "risk", "before": "Weight", "weight": 50, "approval": {}},
    {"name": "board", "before": "Promotion", "approval": {}},
]
ROLLOUT = {
    "steps": [{"weight": 25, "pause": "500ms"}, {"weight": 50, "pause": "500ms"}],
    "bakeTime": "1s",
    "gates": GATES,
}
#: Rules of each user in the namespace of a test, besides the chart's role of the approver.
RULES = {
    "editor": [{"resources": ["modeldeployments"], "verbs": ["get", "create", "update", "patch"]}],
    "commander": [{"resources": ["modeldeployments"], "verbs": ["get", "patch"]}],
    "risk-officer": [
        {"resources": ["modeldeployments"], "verbs": ["get", "patch"]},
        {"resources": ["modeldeployments/risk"], "verbs": ["approve"]},
    ],
    "owner-of-other": [
        {"resources": ["modeldeployments"], "verbs": ["get", "patch"]},
        {"resources": ["modeldeployments"], "verbs": ["approve"], "resourceNames": ["other"]},
    ],
    "lead": [
        {"resources": ["modeldeployments"], "verbs": ["get", "update", "patch", "approve"]},
    ],
}


@pytest.fixture(scope="module")
def operator(plane: ControlPlane, granted: Path) -> Iterator[Operator]:
    """An operator that accepts decisions, with the chart's policy in force."""
    bodies = [
        body
        for body in rights.rendered("approvals.enabled=true")
        if body["metadata"]["name"] in ("canarium-approvals", "canarium-approver")
    ]
    assert len(bodies) == 3
    text = yaml.safe_dump_all(bodies)
    plane.kubectl("apply", "-f", "-", stdin=text)
    _in_force(plane)
    flags = ("--accept-approvals", "--lease-namespace", "default", *PATIENT_LEASE)
    operator = Operator(granted, plane.folder.parent / "operator.log", *flags)
    operator.start()
    yield operator
    operator.stop()
    plane.kubectl("delete", "-f", "-", stdin=text)
    assert rights.Audit(plane).forbidden() == set()


def _in_force(plane: ControlPlane) -> None:
    """Waits until the API server has compiled the policy."""
    probe = {
        "apiVersion": "canarium.dev/v1alpha1",
        "kind": "ModelDeployment",
        "metadata": {
            "name": "probe",
            "namespace": "default",
            "annotations": {"canarium.dev/approval-by": "nobody"},
        },
        "spec": {"model": {"version": "1"}, "runtime": {"image": "m", "readiness": {"path": "/"}}},
    }
    end = time.monotonic() + 30
    while time.monotonic() < end:
        try:
            plane.kubectl("create", "--dry-run=server", "-f", "-", stdin=json.dumps(probe))
        except subprocess.CalledProcessError as error:
            if "may change only together" in str(error.stderr):
                return
            raise
        time.sleep(0.2)
    raise AssertionError("the policy is not in force")


def grant(cluster: Cluster, user: str) -> None:
    """Gives a user the rights of `RULES`, or those of the chart's role."""
    kubectl, words = cluster.plane.kubectl, ("-n", cluster.namespace)
    if user == "approver":
        kubectl(*words, "create", "rolebinding", user, "--clusterrole=canarium-approver",
                f"--user={user}")  # fmt: skip
        return
    role = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": user, "namespace": cluster.namespace},
        "rules": [{"apiGroups": ["canarium.dev"], **one} for one in RULES[user]],
    }
    kubectl("apply", "-f", "-", stdin=json.dumps(role))
    kubectl(*words, "create", "rolebinding", user, f"--role={user}", f"--user={user}")


def patch(cluster: Cluster, user: str, body: dict[str, Any]) -> str:
    """Patches the model as a user; returns the API server's refusal, empty when it accepts."""
    try:
        cluster.plane.kubectl(
            "--as", user, "-n", cluster.namespace, "patch", "modeldeployment", "fraud",
            "--type=merge", "-p", json.dumps(body),
        )  # fmt: skip
    except subprocess.CalledProcessError as error:
        return str(error.stderr)
    return ""


def decide(cluster: Cluster, user: str, command: str, value: str, **notes: str | None) -> str:
    """Decides as a user; returns the API server's refusal, empty when it accepts."""
    annotations = {f"canarium.dev/{command}": value}
    annotations |= {f"canarium.dev/approval-{key}": text for key, text in notes.items()}
    return patch(cluster, user, {"metadata": {"annotations": annotations}})


async def waiting(cluster: Cluster, gate: str = "risk") -> str:
    """Returns the revision of version 2, which waits at a gate."""
    status = await cluster.until(lambda s: state(s, gate) == "Waiting")
    revision: str = status["revision"]
    return revision


def state(status: dict[str, Any], name: str) -> str:
    return next((g["state"] for g in status.get("gates") or () if g["name"] == name), "")


def program(cluster: Cluster) -> Program:
    """`kubectl modeldeploy` in the namespace of the test."""
    return Program(cluster.plane.kubeconfig, cluster.namespace)


async def rolling(cluster: Cluster, *users: str) -> str:
    for user in users:
        grant(cluster, user)
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    cluster.apply("2", rollout=ROLLOUT)
    return await waiting(cluster)


@rule("R27")
async def test_only_users_with_the_verb_approve_decide(cluster: Cluster) -> None:
    revision = await rolling(cluster, "editor", "commander", "owner-of-other", "approver")
    for user in ("editor", "commander", "owner-of-other"):
        for command in ("approve", "reject"):
            refusal = decide(cluster, user, command, f"{revision}/risk")
            assert f"{user} cannot decide about gates of this model" in refusal
            assert "does not grant the verb approve" in refusal
    status = await cluster.until(lambda s: True)
    assert (status["weight"], state(status, "risk")) == (25, "Waiting")
    assert decide(cluster, "approver", "approve", f"{revision}/risk", by="approver",
                  comment="read the report") == ""  # fmt: skip
    status = await cluster.until(lambda s: state(s, "board") == "Waiting")
    assert status["weight"] == 50
    risk = status["gates"][0]
    assert (risk["state"], risk["by"], risk["message"]) == (
        "Passed", "approver", "read the report"
    )  # fmt: skip
    person = program(cluster)
    refused = await person.run("approve", "fraud", "--as", "editor")
    assert (refused.code, refused.out) == (5, "")
    assert "editor cannot decide about gates of this model" in refused.err
    accepted = await person.run("approve", "fraud", "--as", "approver")
    assert accepted.code == 0, accepted.err
    assert accepted.out.startswith(f"fraud: approve {revision}: ")
    await cluster.phase("Ready", "2")
    late = await person.run("approve", "fraud", "--as", "approver")
    assert late.code == 7
    assert "No gate of fraud waits for a decision" in late.err
    reasons = await cluster.event_reasons("GatePassed")
    assert {"WaitingForApproval", "GatePassed"} <= set(reasons)


@rule("R27")
async def test_right_for_one_gate_does_not_permit_another(cluster: Cluster) -> None:
    revision = await rolling(cluster, "risk-officer")
    assert decide(cluster, "risk-officer", "approve", f"{revision}/risk:1") == ""
    await waiting(cluster, "board")
    for value in (f"{revision}/board", f"{revision}/board:1", revision, f"{revision}/"):
        assert "cannot decide" in decide(cluster, "risk-officer", "approve", value)


@rule("R27")
async def test_decision_in_the_name_of_another_user_is_denied(cluster: Cluster) -> None:
    revision = await rolling(cluster, "approver", "commander")
    refusal = decide(cluster, "approver", "approve", f"{revision}/risk", by="alice")
    assert "must be the name of the user who decides, approver" in refusal
    assert decide(cluster, "approver", "approve", f"{revision}/risk", by="approver") == ""
    refusal = patch(
        cluster, "commander", {"metadata": {"annotations": {"canarium.dev/approval-by": "x"}}}
    )
    assert "may change only together with" in refusal


@rule("R27")
async def test_approver_changes_nothing_else(cluster: Cluster) -> None:
    revision = await rolling(cluster, "approver", "risk-officer", "commander", "lead")
    spec = {"spec": {"rollout": {"gates": []}}}
    command = {"metadata": {"annotations": {"canarium.dev/abort": f"{revision}/1"}}}
    labels = {"metadata": {"labels": {"team": "x"}}}
    for user in ("approver", "risk-officer"):
        for body in (spec, command, labels):
            refusal = patch(cluster, user, body)
            assert f"{user} may decide about gates and change nothing else" in refusal
    # Who may not approve keeps the right to give other commands by patch.
    assert patch(cluster, "commander", labels) == ""
    assert patch(cluster, "lead", {"metadata": {"labels": {"team": "y"}}}) == ""
    assert decide(cluster, "lead", "approve", f"{revision}/risk", by="lead") == ""
    await waiting(cluster, "board")


@rule("R27")
async def test_commands_of_the_guide_let_a_group_decide(cluster: Cluster, tmp_path: Path) -> None:
    desk = Desk.of(cluster, tmp_path)
    await rolling(cluster)
    done = await desk.run("docs/guides/gates.md", "kubectl -n risk create rolebinding")
    assert done.code == 0, done.text
    done = await desk.run("docs/guides/gates.md", "kubectl auth can-i approve")
    assert (done.code, done.text.split()[-1]) == (0, "yes"), done.text
    done = await desk.run("docs/guides/gates.md", "kubectl modeldeploy approve fraud -n risk")
    assert done.code == 0, done.text
    second = await waiting(cluster, "board")
    gates = (await cluster.model())["status"]["gates"]
    assert gates[0]["message"] == "Bias report of run 81 is fine"
    cluster.apply("3", rollout=ROLLOUT)
    await cluster.until(lambda s: s["revision"] != second and state(s, "risk") == "Waiting")
    done = await desk.run("docs/guides/gates.md", "kubectl modeldeploy reject fraud -n risk")
    assert done.code == 0, done.text
    failed = (await cluster.phase("RolledBack", "1"))["failure"]
    assert failed["reason"] == "GateRejected"
    cluster.apply("4", rollout=ROLLOUT)
    await cluster.until(
        lambda s: s["revision"] != failed["revision"] and state(s, "risk") == "Waiting"
    )
    alice = "kubectl --as=alice --as-group=risk-officers annotate"
    revision = (await cluster.model())["status"]["revision"]
    done = await desk.run(
        "docs/guides/gates.md",
        "kubectl annotate modeldeployment fraud -n risk --overwrite",
        {"kubectl annotate": alice, "abc23456": revision},
    )
    assert done.code == 0, done.text
    await waiting(cluster, "board")
    gates = (await cluster.model())["status"]["gates"]
    assert (gates[0]["by"], gates[0]["message"]) == ("alice", "fine")


@rule("R8", "R27")
async def test_rejection_rolls_back_and_is_kept_with_the_revision(cluster: Cluster) -> None:
    await rolling(cluster, "approver")
    words = ("reject", "fraud", "--gate", "risk", "--comment", "bias", "--as", "approver")
    done = await program(cluster).run(*words)
    assert done.code == 0, done.err
    status = await cluster.phase("RolledBack", "1")
    assert status["failure"]["reason"] == "GateRejected"
    assert status["failure"]["message"] == "gate risk was rejected by approver: bias"


@rule("R18", "R27")
async def test_restart_and_lost_status_pass_no_gate(cluster: Cluster) -> None:
    revision = await rolling(cluster, "approver")
    assert decide(cluster, "approver", "approve", f"{revision}/risk", by="approver") == ""
    await waiting(cluster, "board")
    cluster.operator.stop()
    body = json.dumps([{"op": "replace", "path": "/status", "value": {}}])
    cluster.plane.kubectl(
        "-n", cluster.namespace, "patch", "modeldeployment", "fraud",
        "--subresource=status", "--type=json", "-p", body,
    )  # fmt: skip
    cluster.operator.start()
    await cluster.leading()
    status = await cluster.until(lambda s: state(s, "board") == "Waiting")
    assert (status["weight"], state(status, "risk"), status["gates"][0]["by"]) == (
        50, "Passed", "approver"
    )  # fmt: skip


@rule("R21", "R27")
@pytest.mark.parametrize(
    ("rollout", "refusal"),
    [
        ({"gates": [GATES[1], GATES[1]]}, "Duplicate value"),
        (
            {"gates": [{**GATES[0], "weight": 40}]},
            "gates before a weight require a step of that weight: add it to steps",
        ),
        ({"steps": [], "gates": [GATES[0]]}, "gates before a weight require a step"),
        (
            {"gates": [{"name": "a", "before": "Weight", "approval": {}}]},
            "weight is required with before: Weight and applies only to it",
        ),
        (
            {"gates": [{**GATES[1], "weight": 25}]},
            "weight is required with before: Weight and applies only to it",
        ),
        ({"gates": [{**GATES[1], "onError": "Hold"}]}, "onError applies only to a gate with"),
        ({"gates": [{**GATES[1], "timeout": "10ms"}]}, "timeout must be at least 1s"),
        ({"gates": [{"name": "a", "before": "Traffic"}]}, "one of approval, web and job"),
        ({"gates": [{**GATES[1], "name": "Not A Name"}]}, "spec.rollout.gates[0].name"),
        (
            {"steps": None, "strategy": "Recreate", "gates": [GATES[1]]},
            "gates do not apply to strategy Recreate",
        ),
        (
            {"bakeTime": "0s", "gates": [{**GATES[1], "before": "Finish"}]},
            "gates before Finish require a bake",
        ),
    ],
    ids=[
        "two-of-one-name", "no-such-step", "no-steps", "weight-missing", "weight-unused",
        "on-error-without-timeout", "short-timeout", "no-kind", "name", "recreate", "no-bake",
    ],
)  # fmt: skip
async def test_invalid_gates_are_refused_at_apply(
    cluster: Cluster, rollout: dict[str, Any], refusal: str
) -> None:
    wanted = {key: value for key, value in {**ROLLOUT, **rollout}.items() if value is not None}
    with pytest.raises(subprocess.CalledProcessError) as failed:
        cluster.apply("1", rollout=wanted)
    assert refusal in str(failed.value.stderr)
