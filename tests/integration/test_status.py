"""The status agrees with what happens, against the real API server (R29)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from canarium.kube import resources
from integration.conftest import Cluster
from integration.policies import SERVICES, STATUSES, WORDS, Refusing, refusing
from integration.status_recorder import StatusRecorder, condition

rule = pytest.mark.rule
MANUAL = {"steps": [{"weight": 50, "pause": "Manual"}], "bakeTime": "60s"}
#: Until a refusal or an outage is visible in message, condition and Event.
VISIBLE = 5.0
#: Until a rollback is done once it is allowed; on an idle machine it is below two seconds.
DONE = 5.0


async def shared(cluster: Cluster) -> tuple[str, str]:
    """Version 2 has half of the traffic and waits for an order; both revisions."""
    cluster.apply("1", rollout=MANUAL)
    stable = (await cluster.phase("Ready", "1"))["stable"]["revision"]
    cluster.apply("2", rollout=MANUAL)
    status = await cluster.until(lambda s: (s.get("waitingFor") or {}).get("reason") == "Manual")
    return stable, status["candidate"]["revision"]


def is_of(reason: str) -> Any:
    return lambda event: event["reason"] == reason


# C1, I9
@rule("R29")
async def test_outage_of_a_promoted_version_is_shown_until_it_is_over(cluster: Cluster) -> None:
    cluster.apply("1")
    revision = (await cluster.phase("Ready", "1"))["stable"]["revision"]
    async with StatusRecorder().kept(cluster) as recorder:
        began = asyncio.get_running_loop().time()
        await cluster.kubelet.loop(
            cluster.namespace, revision, code=3, last="FileNotFoundError: /models/7"
        )
        status = await cluster.phase("Degraded", "1", seconds=VISIBLE)
        _, event = await recorder.first(recorder.events, is_of("CrashLoopBackOff"), VISIBLE)
        seconds = asyncio.get_running_loop().time() - began
        print(f"an outage was in status and Event after {seconds:.2f} s")
        pods = {p["metadata"]["name"] for p in await cluster.children(resources.PODS)}
        for words in (status["message"], event["message"]):
            assert "last with code 3: FileNotFoundError: /models/7" in words
            assert "container server" in words
            assert any(f"pod/{name}" in words for name in pods)
        assert "no version is serving" in status["message"].lower()
        for kind in ("Available", "Ready"):
            reported = condition(status, kind)
            assert (reported["status"], reported["reason"]) == ("False", "CrashLoopBackOff")
        await cluster.kubelet.heal(cluster.namespace, revision)
        status = await cluster.phase("Ready", "1")
        assert condition(status, "Available")["status"] == "True"
        assert "FileNotFoundError" not in json.dumps(status)
        await recorder.first(recorder.events, is_of("ServiceRestored"))


async def blocked(cluster: Cluster, recorder: StatusRecorder, since: float) -> None:
    """Waits until the refusal is visible everywhere."""
    status = await cluster.until(lambda s: condition(s, "RollbackBlocked"), VISIBLE)
    _, event = await recorder.first(
        recorder.events, lambda e: e["reason"] == "WriteRejected" and WORDS in e["message"], VISIBLE
    )
    seconds = asyncio.get_running_loop().time() - since
    print(f"a refused rollback was in status and Event after {seconds:.2f} s")
    assert seconds < VISIBLE
    assert WORDS in status["message"]
    reported = condition(status, "RollbackBlocked")
    assert (reported["status"], reported["reason"]) == ("True", "AdmissionDenied")
    assert WORDS in reported["message"]
    assert "Service/fraud" in event["message"]


async def rolled_back(
    cluster: Cluster, recorder: StatusRecorder, policy: Refusing, stable: str, candidate: str
) -> None:
    """Nothing was called rolled back before the Service led to stable alone, which is soon after
    the policy is deleted; then the refusal is no longer shown."""
    status = await cluster.phase("RolledBack", "1")
    at, _ = await recorder.first(recorder.services, leads_to_one)
    print(
        f"traffic moved {at - policy.deleted_at:.2f} s after the policy was deleted and "
        f"{at - policy.lifted_at:+.2f} s from when another client's write was admitted"
    )
    assert at - policy.lifted_at < DONE
    for when, before in recorder.statuses:
        if when >= at:
            break
        assert condition(before, "RolledBack")["status"] == "False"
        assert "was rolled back" not in before["message"]
        assert before["candidate"]["revision"] == candidate
        assert before["weight"] > 0
    assert all(when >= at for when, event in recorder.events if event["reason"] == "RolledBack")
    assert status["stable"]["revision"] == stable
    # E3: a refusal that is over is no longer listed.
    assert WORDS not in json.dumps({**status, "commands": [], "history": []})
    assert not condition(status, "WritesRejected")
    assert not condition(status, "RollbackBlocked")


def leads_to_one(service: dict[str, Any]) -> bool:
    return "canarium.dev/color" in service["spec"]["selector"]


# C5, E3
@rule("R8", "R29")
async def test_abort_with_a_rejected_write_is_blocked_until_it_is_allowed(
    cluster: Cluster,
) -> None:
    stable, candidate = await shared(cluster)
    async with StatusRecorder().kept(cluster) as recorder:
        async with refusing(cluster, SERVICES) as policy:
            began = asyncio.get_running_loop().time()
            cluster.plane.kubectl(
                "-n", cluster.namespace, "annotate", "modeldeployment", "fraud",
                f"canarium.dev/abort={candidate}/one",
            )  # fmt: skip
            await blocked(cluster, recorder, began)
            # The retries grow apart by now: each is as far from the next as it ever gets.
            await asyncio.sleep(6)
        await rolled_back(cluster, recorder, policy, stable, candidate)


# E2, E3
@rule("R8", "R9", "R29")
async def test_failed_version_is_not_called_rolled_back_while_its_write_is_refused(
    cluster: Cluster,
) -> None:
    stable, candidate = await shared(cluster)
    async with StatusRecorder().kept(cluster) as recorder:
        async with refusing(cluster, SERVICES) as policy:
            began = asyncio.get_running_loop().time()
            # Its other pods keep answering.
            await cluster.kubelet.crash(cluster.namespace, candidate, count=1)
            await blocked(cluster, recorder, began)
            await asyncio.sleep(6)
            status = (await cluster.model())["status"]
            assert status["phase"] == "RollingBack"
            assert status["failure"]["reason"] == "ServerExited"
        await rolled_back(cluster, recorder, policy, stable, candidate)


# E5
@rule("R18")
async def test_status_that_was_refused_for_long_is_written_soon_after(cluster: Cluster) -> None:
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    async with StatusRecorder().kept(cluster) as recorder:
        async with refusing(cluster, STATUSES) as policy:
            cluster.apply("2", rollout={"steps": [], "bakeTime": "60s"})
            # As long as it takes for retries to be far apart.
            await asyncio.sleep(25)
        at, _ = await recorder.first(recorder.statuses, lambda s: s.get("phase") != "Ready")
        print(f"the status was written {at - policy.lifted_at:+.2f} s from when it was admitted")
        assert at - policy.lifted_at < VISIBLE
        await cluster.phase("Baking", "2")


def service(namespace: str, name: str, **meta: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": namespace, **meta},
        "spec": {"selector": {"app": "theirs"}, "ports": [{"port": 80}]},
    }


# C7, C8
@rule("R24", "R29")
async def test_taken_name_of_the_service_is_reported_before_any_pod_is_created(
    cluster: Cluster,
) -> None:
    theirs = service(cluster.namespace, "fraud")
    cluster.plane.kubectl("apply", "-f", "-", stdin=json.dumps(theirs))
    cluster.apply("1")
    status = await cluster.phase("Invalid")
    assert await cluster.children(resources.DEPLOYMENTS) == []
    assert await cluster.children(resources.PODS) == []
    assert condition(status, "Stalled")["reason"] == "NameConflict"
    for words in (
        "Service/fraud",
        "has no controller",
        "canarium.dev/adopt=fraud",
        "Deleting the object",
    ):
        assert words in status["message"]
    await cluster.event_reasons("NameConflict")
    cluster.plane.kubectl("-n", cluster.namespace, "delete", "service", "fraud")
    await cluster.phase("Ready", "1", seconds=60)


# C8
@rule("R24", "R29")
async def test_foreign_object_with_our_label_is_reported_with_its_owner(
    cluster: Cluster,
) -> None:
    owner = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "shop"}}
    made = await cluster.client.create(resources.CONFIG_MAPS, cluster.namespace, owner)
    controller = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "name": "shop",
        "uid": made["metadata"]["uid"],
        "controller": True,
    }
    theirs = service(
        cluster.namespace,
        "fraud",
        labels={"canarium.dev/model": "fraud"},
        ownerReferences=[controller],
    )
    await cluster.client.create(resources.SERVICES, cluster.namespace, theirs)
    cluster.apply("1")
    status = await cluster.phase("Invalid")
    assert await cluster.children(resources.DEPLOYMENTS) == []
    assert condition(status, "Stalled")["reason"] == "NameConflict"
    for words in ("Service/fraud", "controlled by ConfigMap/shop", "canarium.dev/adopt=fraud"):
        assert words in status["message"]
