"""Models that are fetched, on a real API server: the pin, the record, and what an audit gets."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Any

import pytest

from canarium.kube import resources
from canarium.kube.errors import ApiError
from integration.cli.program import Done, Program
from integration.conftest import Cluster
from integration.kubelet import resolved

rule = pytest.mark.rule
MODEL = {
    "version": "1",
    "uri": "s3://models/fraud/1/",
    "endpoint": "http://s3:9000",
    "credentials": {"secretName": "s3-read"},
    "lineage": {"gitCommit": "4f1c2d9"},
}


async def annotations(cluster: Cluster, revision: str) -> dict[str, str]:
    record = await cluster.client.get(resources.RECORDS, cluster.namespace, f"fraud-{revision}")
    found: dict[str, str] = record["metadata"].get("annotations", {})
    return found


@rule("R1", "R7")
async def test_version_is_pinned_by_its_first_pod_and_recorded(cluster: Cluster) -> None:
    cluster.apply("1", model=MODEL)
    status = await cluster.phase("Ready", "1")
    revision = status["stable"]["revision"]
    assert status["stable"]["artifact"] == "sha256:one"
    noted = await annotations(cluster, revision)
    assert noted["canarium.dev/artifact"] == "sha256:one"
    pin = await cluster.client.get(resources.CONFIG_MAPS, cluster.namespace, f"fraud-{revision}")
    assert pin["data"] == {"digest": "sha256:one"}
    assert pin["metadata"]["ownerReferences"][0]["kind"] == "ControllerRevision"

    cluster.kubelet.bytes = "sha256:two"
    cluster.apply("1", model=MODEL, scaling={"replicas": 4})
    status = await cluster.until(lambda s: "other bytes" in s["message"])
    ready = next(c for c in status["conditions"] if c["type"] == "Ready")
    assert (ready["status"], ready["reason"]) == ("False", "ArtifactChanged")
    await asyncio.sleep(1)
    status = (await cluster.model())["status"]
    assert "failure" not in status
    assert status["stable"]["readyReplicas"] == 3

    answer = await record(cluster, "fraud")
    said: list[dict[str, Any]] = [json.loads(line) for line in answer.out.splitlines()]
    (statement,) = said
    predicate = statement["predicate"]
    assert predicate["artifact"] == "sha256:one"
    assert predicate["uri"] == MODEL["uri"]
    assert predicate["lineage"] == MODEL["lineage"]
    assert predicate["applied"]["manager"].startswith("kubectl")
    assert predicate["served"][0].keys() == {"from", "promoted", "images"}
    server = predicate["podTemplate"]["spec"]["containers"][0]["image"]
    images = {"server": resolved(server), "fetch": resolved("fetch:1")}
    assert predicate["images"] == images
    digests = {s["name"]: s["digest"]["sha256"] for s in statement["subject"]}
    assert {name: image.rpartition(":")[2] for name, image in images.items()}.items() <= (
        digests.items()
    )
    assert predicate["podTemplate"]["spec"]["initContainers"][0]["image"] == "fetch:1"


@rule("R23")
async def test_pin_that_is_deleted_or_edited_is_restored(cluster: Cluster) -> None:
    cluster.apply("1", model=MODEL)
    status = await cluster.phase("Ready", "1")
    where = (resources.CONFIG_MAPS, cluster.namespace, f"fraud-{status['stable']['revision']}")
    before = await cluster.client.get(*where)
    await cluster.client.delete(*where)
    pin = await _pin_like(cluster, where, before["data"])
    assert pin["metadata"]["uid"] != before["metadata"]["uid"]
    await cluster.client.merge(*where, {"data": {"digest": "sha256:forged"}})
    await _pin_like(cluster, where, before["data"])


async def _pin_like(cluster: Cluster, where: tuple[Any, str, str], data: Any) -> dict[str, Any]:
    """The ConfigMap, once it contains `data`; five seconds are enough."""
    for _ in range(100):
        with contextlib.suppress(ApiError):
            found: dict[str, Any] = await cluster.client.get(*where)
            if found["data"] == data:
                return found
        await asyncio.sleep(0.05)
    raise AssertionError("the pin was not restored")


async def record(cluster: Cluster, *words: str) -> Done:
    """Runs `kubectl modeldeploy record`."""
    return await Program(cluster.plane.kubeconfig, cluster.namespace).run("record", *words)


async def test_audit_of_a_missing_record_is_an_error(cluster: Cluster) -> None:
    said = await record(cluster, "nothing")
    assert said.code == 4
    assert "nothing" in said.err
