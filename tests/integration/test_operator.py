"""The main job against a real API server, its controllers, and the operator as a process."""

from __future__ import annotations

import asyncio
import copy
import json
import signal
from typing import Any

import pytest

from canarium.kube import resources
from canarium.kube.errors import ApiError
from integration.conftest import Cluster

rule = pytest.mark.rule


async def served(cluster: Cluster) -> set[str]:
    """Names of the revisions that the callers' Service has ready endpoints of."""
    pods = {p["metadata"]["name"]: p for p in await cluster.children(resources.PODS)}
    names = [
        e["targetRef"]["name"]
        for s in await cluster.children(resources.ENDPOINT_SLICES)
        for e in s.get("endpoints") or ()
        if e["conditions"].get("ready")
    ]
    return {pods[n]["metadata"]["labels"]["canarium.dev/revision"] for n in names if n in pods}


def ready(status: dict[str, Any]) -> str:
    return next(c["status"] for c in status["conditions"] if c["type"] == "Ready")


@rule("R3", "R5", "R14")
async def test_new_version_becomes_live_step_by_step_and_keeps_its_pods(cluster: Cluster) -> None:
    cluster.apply("1")
    first = await cluster.phase("Ready", "1")
    assert ready(first) == "True"
    cluster.apply("2")
    await cluster.until(lambda s: (s.get("weight") or 0) == 50)
    candidate = (await cluster.model())["status"]["candidate"]["revision"]
    pods = {
        p["metadata"]["uid"]
        for p in await cluster.children(resources.PODS)
        if p["metadata"]["labels"]["canarium.dev/revision"] == candidate
    }
    await cluster.phase("Ready", "2")
    after = {p["metadata"]["uid"] for p in await cluster.children(resources.PODS)}
    assert len(pods) == 3
    assert pods <= after
    assert await served(cluster) == {candidate}


@rule("R4", "R7", "R8", "R9")
async def test_failed_version_stays_rolled_back_until_the_spec_changes(
    cluster: Cluster,
) -> None:
    cluster.apply("1")
    stable = (await cluster.phase("Ready", "1"))["stable"]["revision"]
    bad = {"metadata": {"annotations": {"sandbox/behaviour": "exits"}}}
    cluster.apply("3", podTemplate=bad)
    status = await cluster.phase("RolledBack")
    assert status["failure"]["reason"] == "ServerExited"
    assert "code 0" in status["failure"]["message"]
    assert ready(status) == "False"
    assert await served(cluster) == {stable}
    before = len(cluster.writes())
    cluster.apply("3", podTemplate=bad)
    await asyncio.sleep(1.5)
    assert len(cluster.writes()) == before, "the quarantine holds"
    cluster.apply("5")
    await cluster.phase("Ready", "5")


@rule("R7", "R8")
async def test_version_that_crashes_loses_its_traffic(cluster: Cluster) -> None:
    cluster.apply("1")
    stable = (await cluster.phase("Ready", "1"))["stable"]["revision"]
    slow = {"steps": [{"weight": 50, "pause": "60s"}]}
    cluster.apply("4", rollout=slow)
    status = await cluster.until(lambda s: (s.get("weight") or 0) == 50)
    assert len(await served(cluster)) == 2
    await cluster.kubelet.crash(cluster.namespace, status["candidate"]["revision"])
    status = await cluster.phase("RolledBack")
    assert status["version"] == "1"
    assert await served(cluster) == {stable}


@rule("R18")
async def test_restart_with_nothing_to_do_writes_nothing(cluster: Cluster) -> None:
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    await asyncio.sleep(0.5)
    before = cluster.writes()
    cluster.operator.stop()
    cluster.operator.start()
    await cluster.leading()
    assert cluster.writes() == before


@rule("R18", "R19")
async def test_operator_killed_during_a_rollout_continues_from_what_it_observes(
    cluster: Cluster,
) -> None:
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    cluster.apply("2")
    await cluster.until(lambda s: (s.get("weight") or 0) >= 25)
    cluster.operator.stop(signal.SIGKILL)
    assert await served(cluster)
    cluster.operator.start()
    await cluster.phase("Ready", "2", seconds=60)


@rule("R21")
async def test_unknown_runtime_is_a_condition_and_serving_continues(cluster: Cluster) -> None:
    cluster.apply("1")
    stable = (await cluster.phase("Ready", "1"))["stable"]["revision"]
    cluster.apply("2", runtime={"name": "no-such"})
    status = await cluster.phase("Invalid")
    assert "spec.runtime.name: there is no runtime no-such; known: bentoml" in status["message"]
    assert await served(cluster) == {stable}


@rule("R21")
async def test_overlay_that_the_api_server_refuses_is_a_condition(cluster: Cluster) -> None:
    cluster.apply("1")
    stable = (await cluster.phase("Ready", "1"))["stable"]["revision"]
    cluster.apply("2", podTemplate={"spec": {"containers": [{"name": "Not_A_Name"}]}})
    status = await cluster.phase("Invalid")
    assert "Not_A_Name" in status["message"]
    assert await served(cluster) == {stable}


@rule("R24")
async def test_foreign_object_is_not_changed(cluster: Cluster) -> None:
    foreign = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "fraud", "namespace": cluster.namespace},
        "spec": {"selector": {"app": "theirs"}, "ports": [{"port": 80}]},
    }
    cluster.plane.kubectl("apply", "-f", "-", stdin=json.dumps(foreign))
    cluster.apply("1")
    status = await cluster.phase("Invalid")
    assert "Service/fraud" in status["message"]
    live = await cluster.client.get(resources.SERVICES, cluster.namespace, "fraud")
    assert live["spec"]["selector"] == {"app": "theirs"}
    assert "ownerReferences" not in live["metadata"]


@rule("R23")
async def test_edited_or_deleted_child_is_restored(cluster: Cluster) -> None:
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    (deployment,) = await cluster.children(resources.DEPLOYMENTS)
    name = deployment["metadata"]["name"]
    image = {"spec": {"template": {"spec": {"containers": [{"name": "server", "image": "x:9"}]}}}}
    cluster.plane.kubectl(
        "-n", cluster.namespace, "patch", "deployment", name, "-p", json.dumps(image)
    )

    async def current() -> str | None:
        found = await cluster.children(resources.DEPLOYMENTS)
        return found[0]["spec"]["template"]["spec"]["containers"][0]["image"] if found else None

    for _ in range(100):
        if await current() == "model:1":
            break
        await asyncio.sleep(0.1)
    assert await current() == "model:1"
    cluster.plane.kubectl("-n", cluster.namespace, "delete", "service", "fraud")
    for _ in range(100):
        if await cluster.children(resources.SERVICES):
            break
        await asyncio.sleep(0.1)
    (service,) = await cluster.children(resources.SERVICES)
    assert service["metadata"]["annotations"]["canarium.dev/stable"]


@rule("R16")
async def test_commands_by_annotation_act_once_and_are_answered(cluster: Cluster) -> None:
    manual = {"steps": [{"weight": 50, "pause": "Manual"}], "bakeTime": "60s"}
    cluster.apply("1", rollout=manual)
    await cluster.phase("Ready", "1")
    cluster.apply("2", rollout=manual)
    status = await cluster.until(lambda s: (s.get("weight") or 0) == 50)
    revision = status["candidate"]["revision"]

    def order(command: str, value: str) -> None:
        note = f"canarium.dev/{command}={value}"
        cluster.plane.kubectl("-n", cluster.namespace, "annotate", "modeldeployment", "fraud", note)

    order("promote", f"{revision}/one")
    status = await cluster.phase("Baking", "2")
    order("undo", f"{revision}/two")
    status = await cluster.phase("RolledBack")
    assert (status["version"], status["failure"]["reason"]) == ("1", "Undone")
    order("retry", "nonsense")
    status = await cluster.until(lambda s: len(s["commands"]) == 3)
    answers = {a["command"]: a["result"] for a in status["commands"]}
    assert answers == {"promote": "Accepted", "undo": "Accepted", "retry": "Ignored"}
    why = "the value must be <revision>/<token>, as in canarium.dev/promote=abc23456/1"
    # Events are written after the status that they report.
    for _ in range(50):
        events = (await cluster.client.list(resources.EVENTS, cluster.namespace))["items"]
        messages = [e["message"] for e in events if e["reason"] == "CommandIgnored"]
        if messages:
            break
        await asyncio.sleep(0.1)
    assert messages == [f"Command retry nonsense: {why}"]


async def test_columns_and_events_show_the_progress_of_a_rollout(cluster: Cluster) -> None:
    manual = {"steps": [{"weight": 50, "pause": "Manual"}], "bakeTime": "0s"}
    cluster.apply("1", rollout=manual)
    await cluster.phase("Ready", "1")
    cluster.apply("2", rollout=manual)
    status = await cluster.until(lambda s: (s.get("waitingFor") or {}).get("reason") == "Manual")
    revision = status["candidate"]["revision"]
    shown = cluster.plane.kubectl("-n", cluster.namespace, "get", "modeldeployments", "fraud")
    head, line = (row.split() for row in shown.splitlines())
    assert dict(zip(head, line, strict=True)) | {"AGE": ""} == {
        "NAME": "fraud",
        "PHASE": "Progressing",
        "READY": "False",
        "VERSION": "1",
        "REVISION": revision,
        "STEP": "1/2",
        "WEIGHT": "50",
        "WAITING": "Manual",
        "REPLICAS": str(status["readyReplicas"]),
        "AGE": "",
    }
    assert all(condition["message"] for condition in status["conditions"])
    note = f"canarium.dev/promote={revision}/one"
    cluster.plane.kubectl("-n", cluster.namespace, "annotate", "modeldeployment", "fraud", note)
    await cluster.phase("Ready", "2")
    expected = ["Promoted", "RolloutStarted", "WeightInEffect", "WaitingForPromotion"]
    expected += ["CommandAccepted", "Promoted"]
    reasons: list[str] = []
    # Events are written after the status that they belong to.
    for _ in range(50):
        events = (await cluster.client.list(resources.EVENTS, cluster.namespace))["items"]
        events.sort(key=lambda e: int(e["metadata"]["resourceVersion"]))
        reasons = [e["reason"] for e in events if e["involvedObject"]["name"] == "fraud"]
        if len(reasons) >= len(expected):
            break
        await asyncio.sleep(0.1)
    assert reasons == expected


@rule("R23")
async def test_port_of_the_service_follows_the_spec_without_a_rollout(cluster: Cluster) -> None:
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    cluster.apply("1", traffic={"port": 8081})

    async def port() -> int:
        live = await cluster.client.get(resources.SERVICES, cluster.namespace, "fraud")
        return int(live["spec"]["ports"][0]["port"])

    for _ in range(100):
        if await port() == 8081:
            break
        await asyncio.sleep(0.1)
    assert await port() == 8081
    assert len(await cluster.children(resources.RECORDS)) == 1


@rule("R1")
async def test_record_is_immutable_by_the_api_server(cluster: Cluster) -> None:
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    (record,) = await cluster.children(resources.RECORDS)
    with pytest.raises(ApiError, match="immutable"):
        await cluster.client.merge(
            resources.RECORDS, cluster.namespace, record["metadata"]["name"], {"data": {"x": "y"}}
        )


@rule("R2", "R5")
async def test_autoscaler_is_created_and_deleted_with_the_spec(cluster: Cluster) -> None:
    cluster.apply("1", scaling={"minReplicas": 2, "maxReplicas": 4})
    await cluster.phase("Ready", "1")
    for _ in range(50):
        if await cluster.children(resources.AUTOSCALERS):
            break
        await asyncio.sleep(0.1)
    (autoscaler,) = await cluster.children(resources.AUTOSCALERS)
    assert (autoscaler["spec"]["minReplicas"], autoscaler["spec"]["maxReplicas"]) == (2, 4)
    cluster.apply("1", scaling={"replicas": 2})
    for _ in range(50):
        if not await cluster.children(resources.AUTOSCALERS):
            break
        await asyncio.sleep(0.1)
    assert not await cluster.children(resources.AUTOSCALERS)


@rule("R20")
async def test_deletion_collects_the_children_without_a_finalizer(cluster: Cluster) -> None:
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    assert "finalizers" not in (await cluster.model())["metadata"]
    await cluster.client.delete(resources.MODELS, cluster.namespace, "fraud")
    for _ in range(100):
        left = [
            *await cluster.children(resources.DEPLOYMENTS),
            *await cluster.children(resources.SERVICES),
            *await cluster.children(resources.RECORDS),
        ]
        if not left:
            break
        await asyncio.sleep(0.1)
    assert not left


@rule("R1", "R23")
async def test_recreated_record_with_another_template_is_reported_and_ignored(
    cluster: Cluster,
) -> None:
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    (record,) = await cluster.children(resources.RECORDS)
    (before,) = await cluster.children(resources.DEPLOYMENTS)
    name, forged = record["metadata"]["name"], copy.deepcopy(record)
    forged |= {"apiVersion": "apps/v1", "kind": "ControllerRevision"}
    for field in ("uid", "resourceVersion", "creationTimestamp"):
        del forged["metadata"][field]
    forged["data"]["template"]["spec"]["containers"][0]["image"] = "forged:1"
    cluster.operator.stop()  # Else it is faster: a deleted record is stored again.
    cluster.plane.kubectl(
        "-n", cluster.namespace, "replace", "--force", "-f", "-", stdin=json.dumps(forged)
    )
    cluster.operator.start()
    status = await cluster.until(lambda s: s.get("warnings"))
    altered = f"ControllerRevision/{name} was modified by hand and is ignored"
    assert f"{altered}: no Deployment is created from it" in [
        one["message"] for one in status["warnings"]
    ]
    deployments = {d["metadata"]["name"]: d for d in await cluster.children(resources.DEPLOYMENTS)}
    assert deployments[name]["metadata"]["generation"] == before["metadata"]["generation"]
    assert "forged" not in json.dumps(deployments), "a fresh record of the spec itself, if any"
