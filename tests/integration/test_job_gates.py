"""Job gates with a real API server and its Job controller (R27); only the kubelet is played."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from canarium.kube import resources
from integration import rights
from integration.cli.program import Program
from integration.conftest import PATIENT_LEASE, Cluster, Operator
from sandbox.controlplane import ControlPlane
from support.docs import documented

rule = pytest.mark.rule
STEPS = [{"weight": 25, "pause": "500ms"}, {"weight": 50, "pause": "500ms"}]
EVAL: dict[str, Any] = {
    "name": "eval",
    "before": "Weight",
    "weight": 50,
    "job": {"image": "eval:1", "args": ["--min", "0.9"]},
}


@pytest.fixture(scope="module")
def operator(plane: ControlPlane, granted: Path) -> Iterator[Operator]:
    flags = ("--lease-namespace", "default", *PATIENT_LEASE)
    operator = Operator(granted, plane.folder.parent / "operator-job-gates.log", *flags)
    operator.start()
    yield operator
    operator.stop()
    assert rights.Audit(plane).forbidden() == set()


async def rolling(cluster: Cluster, *gates: dict[str, Any], **rollout: Any) -> None:
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    settings = {"steps": STEPS, "bakeTime": "1s", "gates": list(gates), **rollout}
    cluster.apply("2", rollout=settings)


async def jobs(cluster: Cluster) -> list[dict[str, Any]]:
    found = await cluster.children(resources.JOBS)
    return sorted(found, key=lambda job: str(job["metadata"]["name"]))


async def pod_of(cluster: Cluster, attempt: int = 1) -> dict[str, Any]:
    """The pod of the Job of an attempt, once it runs."""
    async with asyncio.timeout(30):
        while True:
            for job in await jobs(cluster):
                uid, name = job["metadata"]["uid"], job["metadata"]["name"]
                if not name.endswith(f"-{attempt}"):
                    continue
                selector = f"batch.kubernetes.io/controller-uid={uid}"
                found = await cluster.client.list(
                    resources.PODS, cluster.namespace, labelSelector=selector
                )
                for pod in found["items"]:
                    if pod["status"].get("podIP"):
                        one: dict[str, Any] = pod
                        return one
            await asyncio.sleep(0.1)


async def exits(cluster: Cluster, pod: dict[str, Any], code: int, message: str = "") -> None:
    """The container of the Job exits, as the kubelet reports it."""
    terminated = {"exitCode": code, "message": message, "reason": "Error" if code else "Completed"}
    container = {
        "name": "gate",
        "image": "eval:1",
        "imageID": "",
        "ready": False,
        "restartCount": 0,
        "state": {"terminated": terminated},
    }
    status = {"phase": "Failed" if code else "Succeeded", "containerStatuses": [container]}
    await cluster.client.merge(
        resources.PODS, cluster.namespace, pod["metadata"]["name"], {"status": status}, "status"
    )


def waits(status: dict[str, Any]) -> bool:
    gates = status.get("gates") or [{}]
    return gates[0].get("state") == "Waiting" and status["weight"] == 25


async def services(cluster: Cluster) -> set[str]:
    found = await cluster.children(resources.SERVICES)
    return {s["metadata"]["name"] for s in found if s["metadata"]["name"].endswith("-gate")}


@rule("R27")
async def test_rollout_waits_for_the_job_and_passes_with_its_results(cluster: Cluster) -> None:
    await rolling(cluster, EVAL)
    pod = await pod_of(cluster)
    status = await cluster.until(waits)
    target, stable = status["revision"], status["stable"]["revision"]
    names = {f"fraud-{target}-gate", f"fraud-{stable}-gate"}
    assert await services(cluster) == names
    (container,) = pod["spec"]["containers"]
    env = {one["name"]: one["value"] for one in container["env"]}
    assert env["CANARIUM_CANDIDATE_URL"] == f"http://fraud-{target}-gate.{cluster.namespace}.svc:80"
    assert "canarium.dev/model" not in pod["metadata"]["labels"]
    served = await cluster.client.list(
        resources.ENDPOINT_SLICES,
        cluster.namespace,
        labelSelector=f"kubernetes.io/service-name=fraud-{target}-gate",
    )
    assert served["items"][0]["endpoints"], "only model pods of the candidate"
    report = {"message": "better", "results": {"accuracy": 0.93}}
    await exits(cluster, pod, 0, json.dumps(report))
    await cluster.phase("Ready", "2")
    (gate,) = (await cluster.model())["status"]["gates"]
    assert (gate["kind"], gate["state"], gate["message"]) == ("Job", "Passed", "better")
    assert json.loads(gate["results"]) == {"accuracy": 0.93}
    assert "GatePassed" in await cluster.event_reasons("GatePassed")
    async with asyncio.timeout(20):
        while await jobs(cluster) or await services(cluster):  # noqa: ASYNC110
            await asyncio.sleep(0.1)


@rule("R8", "R9", "R18", "R27")
async def test_job_that_exits_with_3_rolls_back_and_is_not_run_again_after_a_restart(
    cluster: Cluster,
) -> None:
    await rolling(cluster, EVAL)
    pod = await pod_of(cluster)
    cluster.operator.stop(signal.SIGKILL)
    await exits(cluster, pod, 3, "accuracy 0.71 is below 0.9")
    cluster.operator.start()
    failure = (await cluster.phase("RolledBack", "1", seconds=60))["failure"]
    assert (failure["reason"], failure["observed"]) == ("GateFailed", "exit code 3")
    assert failure["message"].endswith("exit code 3: accuracy 0.71 is below 0.9")
    assert len(await jobs(cluster)) == 1, "for its logs"
    created = [w for w in cluster.writes() if w["objectRef"]["resource"] == "jobs"]
    assert [w["verb"] for w in created] == ["create"]


@rule("R25", "R27")
async def test_job_whose_pod_is_deleted_or_evicted_is_run_again(cluster: Cluster) -> None:
    await rolling(cluster, EVAL)
    first = await pod_of(cluster)
    cluster.plane.kubectl(
        "-n", cluster.namespace, "delete", "pod", first["metadata"]["name"], "--wait=false"
    )
    await exits(cluster, first, 143)  # As the kubelet does before the pod is removed.
    second = await pod_of(cluster, 2)
    await cluster.until(lambda s: "(attempt 2 of 3)" in s["message"])
    # The disruption controller resets a condition that is minutes old.
    now = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    condition = {
        "type": "DisruptionTarget", "status": "True", "reason": "EvictionByEvictionAPI",
        "message": "evicted", "lastTransitionTime": now,
    }  # fmt: skip
    marked = {"conditions": [*second["status"]["conditions"], condition]}
    await cluster.client.merge(
        resources.PODS, cluster.namespace, second["metadata"]["name"], {"status": marked}, "status"
    )
    await exits(cluster, second, 137)
    third = await pod_of(cluster, 3)
    (job,) = await jobs(cluster)
    cluster.plane.kubectl(
        "-n", cluster.namespace, "delete", "job", job["metadata"]["name"], "--wait=false"
    )
    status = await cluster.until(lambda s: "was lost 3 times" in s["message"])
    assert third
    assert (status["weight"], status["waitingFor"]["reason"]) == (25, "GateUnavailable")
    cluster.plane.kubectl(
        "-n", cluster.namespace, "annotate", "modeldeployment", "fraud",
        f"canarium.dev/abort={status['revision']}/1",
    )  # fmt: skip
    await cluster.phase("RolledBack", "1")


@rule("R16", "R27")
async def test_rerun_replaces_the_job_that_a_gate_waits_for(cluster: Cluster) -> None:
    await rolling(cluster, EVAL)
    hanging = await pod_of(cluster)
    program = Program(cluster.plane.kubeconfig, cluster.namespace)
    # As the guide has it.
    words = documented("docs/guides/gates.md", "kubectl modeldeploy rerun fraud -n risk")
    assert words[-2:] == ["-n", "risk"]
    done = await program.run(*words[1:-2])
    assert done.code == 0, done.err
    assert "the Job of the gate is run again" in done.out
    again = await pod_of(cluster, 2)
    assert again["metadata"]["uid"] != hanging["metadata"]["uid"]
    await exits(cluster, again, 0)
    await cluster.phase("Ready", "2")
    late = await program.run("rerun", "fraud")
    assert late.code == 7
    assert "No gate of fraud waits for a Job" in late.err


@rule("R27", "R29")
@pytest.mark.parametrize("counted", ["count/jobs.batch", "pods"])
async def test_quota_is_a_wait_with_its_words_and_not_a_failure(
    cluster: Cluster, counted: str
) -> None:
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "few"},
        "spec": {"hard": {counted: "0" if counted != "pods" else "6"}},
    }
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    cluster.plane.kubectl("-n", cluster.namespace, "apply", "-f", "-", stdin=json.dumps(quota))
    gate = {**EVAL, "before": "Promotion"}
    del gate["weight"]
    # Weight 75 of three pods needs three more, so that nothing is left for the Job.
    steps = [{"weight": 50, "pause": "500ms"}]
    cluster.apply("2", rollout={"steps": steps, "bakeTime": "1s", "gates": [gate]})
    status = await cluster.until(lambda s: "exceeded quota" in s["message"], seconds=60)
    assert (status["phase"], status["waitingFor"]["reason"]) == ("Progressing", "GateUnavailable")
    cluster.plane.kubectl("-n", cluster.namespace, "delete", "quota", "few")
    await exits(cluster, await pod_of(cluster), 0)
    await cluster.phase("Ready", "2", seconds=60)


@rule("R21", "R27", "R29")
async def test_job_that_the_api_server_refuses_waits_with_the_field_until_it_is_corrected(
    cluster: Cluster,
) -> None:
    """The schema of a model cannot compare quantities."""
    wrong = {"requests": {"cpu": "2"}, "limits": {"cpu": "1"}}
    await rolling(cluster, {**EVAL, "job": {**EVAL["job"], "resources": wrong}})

    def refused(status: dict[str, Any]) -> bool:
        return any(
            (c["type"], c["status"]) == ("GatesReady", "False")
            and "spec.template.spec.containers[0].resources.requests" in c["message"]
            for c in status.get("conditions", ())
        )

    status = await cluster.until(refused, seconds=60)
    assert (status["phase"], status["weight"]) == ("Progressing", 25)
    assert (status["stable"]["version"], status["stable"]["readyReplicas"]) == ("1", 3)
    cluster.apply("2", rollout={"steps": STEPS, "bakeTime": "1s", "gates": [EVAL]})
    order = f"canarium.dev/rerun={status['candidate']['revision']}/eval:1"
    words = ("annotate", "modeldeployment", "fraud", order)
    cluster.plane.kubectl("-n", cluster.namespace, *words)
    await exits(cluster, await pod_of(cluster, 2), 0)
    await cluster.phase("Ready", "2", seconds=60)


@rule("R27")
async def test_job_that_hangs_is_deleted_when_its_timeout_rolls_back(cluster: Cluster) -> None:
    await rolling(cluster, {**EVAL, "timeout": "10s", "onError": "RollBack"})
    await pod_of(cluster)
    (job,) = await jobs(cluster)
    assert job["spec"]["activeDeadlineSeconds"] == 10
    failure = (await cluster.phase("RolledBack", "1"))["failure"]
    assert failure["reason"] == "GateTimedOut"
    async with asyncio.timeout(20):
        while await jobs(cluster) or await services(cluster):  # noqa: ASYNC110
            await asyncio.sleep(0.1)


@rule("R21", "R27")
@pytest.mark.parametrize(
    ("gate", "words"),
    [
        ({**EVAL, "approval": {}}, "set exactly one of approval, web and job"),
        ({**EVAL, "timeout": "9s"}, "timeout must be at least 10s with job"),
        ({**EVAL, "job": {}}, "set exactly one of image and modelGate"),
        ({**EVAL, "job": {"image": "x", "hostNetwork": True}}, "hostNetwork"),
        ({**EVAL, "job": {"image": "x", "runAsUser": 0}}, "runAsUser"),
    ],
)
async def test_invalid_job_is_refused_at_apply(
    cluster: Cluster, gate: dict[str, Any], words: str
) -> None:
    with pytest.raises(Exception, match=words):
        cluster.apply("1", rollout={"steps": STEPS, "gates": [gate]})


@rule("R21", "R27")
async def test_model_gate_is_awaited_and_kept_as_it_was(cluster: Cluster) -> None:
    job = {"modelGate": "fairness", "args": ["--all"]}
    await rolling(cluster, {**EVAL, "job": job})
    text = "spec.rollout.gates[eval].job.modelGate: ModelGate/fairness does not exist"
    status = await cluster.until(lambda s: text in json.dumps(s["conditions"]) and waits(s))
    assert status["waitingFor"]["reason"] == "GateUnavailable"
    share(cluster, "fair:1")
    pod = await pod_of(cluster)
    share(cluster, "passes:1")
    cluster.plane.kubectl(
        "-n", cluster.namespace, "delete", "job", "--all", "--wait=false"
    )  # fmt: skip
    again = await pod_of(cluster, 2)
    for one in (pod, again):
        (container,) = one["spec"]["containers"]
        assert (container["image"], container["args"]) == ("fair:1", ["--all"])
    await exits(cluster, again, 0)
    await cluster.phase("Ready", "2")


def share(cluster: Cluster, image: str) -> None:
    """Applies a ModelGate whose Job has this image."""
    body = {
        "apiVersion": "canarium.dev/v1alpha1",
        "kind": "ModelGate",
        "metadata": {"name": "fairness", "namespace": cluster.namespace},
        "spec": {"job": {"image": image, "args": ["--some"]}},
    }
    cluster.plane.kubectl("apply", "-f", "-", stdin=json.dumps(body))
