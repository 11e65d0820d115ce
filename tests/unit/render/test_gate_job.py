"""The Job of a gate: restricted, bounded, and never taken for a pod of the model."""

from __future__ import annotations

import json
from typing import Any

import pytest

from canarium.core.decision.plan import CreateGateJob
from canarium.render import labels
from canarium.render.gate_job import gate_job, gate_service

PARENT = {"metadata": {"name": "fraud", "namespace": "risk", "uid": "u1"}, "spec": {}}
FACTS = (("VERSION", "7"), ("URI", "s3://models/$(HOME)/7/"))


def rendered(deadline: float | None = None, other: str | None = "old", **job: Any) -> Any:
    made = json.dumps({"image": "eval:1", **job})
    action = CreateGateJob("fraud-new-12345-1", "new", "eval", made, FACTS, other, deadline)
    return gate_job(PARENT, 80, action)


def environment(job: Any) -> dict[str, Any]:
    (container,) = job["spec"]["template"]["spec"]["containers"]
    return {one["name"]: one.get("value") for one in container["env"]}


@pytest.mark.rule("R2", "R27")
def test_pods_of_a_job_are_not_selected_by_a_service_of_the_model() -> None:
    job = rendered()
    service = gate_service(PARENT, 80, "new")
    marks = job["spec"]["template"]["metadata"]["labels"]
    assert labels.MODEL not in marks
    assert not service["spec"]["selector"].items() <= marks.items()
    assert job["metadata"]["labels"][labels.MODEL] == "fraud", "the operator watches Jobs by it"
    assert job["metadata"]["ownerReferences"][0]["uid"] == "u1"


@pytest.mark.rule("R27")
def test_kubernetes_never_runs_a_job_again() -> None:
    spec = rendered()["spec"]
    assert (spec["backoffLimit"], spec["template"]["spec"]["restartPolicy"]) == (0, "Never")
    (policy,) = spec["podFailurePolicy"]["rules"]
    assert policy["action"] == "FailJob"
    assert "ttlSecondsAfterFinished" not in spec
    assert "activeDeadlineSeconds" not in spec
    assert rendered(deadline=90.0)["spec"]["activeDeadlineSeconds"] == 90


@pytest.mark.rule("R27")
def test_pod_of_a_job_is_restricted() -> None:
    pod = rendered(runAsUser=1000)["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"] == {
        "runAsNonRoot": True,
        "runAsUser": 1000,
        "seccompProfile": {"type": "RuntimeDefault"},
    }
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False
    assert pod["automountServiceAccountToken"] is False
    assert rendered(serviceAccountName="eval")["spec"]["template"]["spec"][
        "automountServiceAccountToken"
    ]


@pytest.mark.rule("R27")
def test_environment_has_addresses_and_facts_that_a_user_cannot_replace() -> None:
    own = [{"name": "CANARIUM_REVISION", "value": "x"}, {"name": "MIN", "value": "0.9"}]
    assert environment(rendered(env=own)) == {
        "CANARIUM_MODEL": "fraud",
        "CANARIUM_NAMESPACE": "risk",
        "CANARIUM_REVISION": "new",
        "CANARIUM_VERSION": "7",
        "CANARIUM_URI": "s3://models/$$(HOME)/7/",
        "CANARIUM_CANDIDATE_URL": "http://fraud-new-gate.risk.svc:80",
        "CANARIUM_STABLE_URL": "http://fraud-old-gate.risk.svc:80",
        "MIN": "0.9",
    }
    assert "CANARIUM_STABLE_URL" not in environment(rendered(other=None))


@pytest.mark.rule("R27")
def test_container_has_what_the_gate_specifies() -> None:
    resources = {"limits": {"memory": "1Gi"}}
    job = rendered(
        command=["run"],
        args=["--all"],
        resources=resources,
        serviceAccountName="eval",
        imagePullSecrets=[{"name": "pull"}],
    )
    pod = job["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert (container["image"], container["command"], container["args"]) == (
        "eval:1", ["run"], ["--all"]
    )  # fmt: skip
    assert container["resources"] == resources
    assert (pod["serviceAccountName"], pod["imagePullSecrets"]) == ("eval", [{"name": "pull"}])
