"""What we write survives other clients, and a model that is created again adopts what was left."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings

from anything import ANYTHING
from canarium.kube import resources
from canarium.kube.canonical import encoded
from canarium.kube.errors import ApiError
from integration.conftest import Cluster

rule = pytest.mark.rule
_STRATEGIC = "application/strategic-merge-patch+json"


def record(name: str, data: bytes) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {"name": name},
        "revision": 1,
        "data": orjson.Fragment(data),
    }


async def patched(cluster: Cluster, how: str, name: str, body: Any) -> None:
    """A patch of a record as another client sends it."""
    path = resources.RECORDS.path(cluster.namespace, name)
    await cluster.client.request("PATCH", path, body, content_type=how)


# D1
@rule("R20")
async def test_any_data_survives_the_patches_of_other_clients(cluster: Cluster) -> None:
    loop = asyncio.get_running_loop()
    names = (f"any-{number}" for number in range(10_000))

    async def survives(value: Any) -> None:
        name = next(names)
        data = encoded({"any": value})
        await cluster.client.create(resources.RECORDS, cluster.namespace, record(name, data))
        owners = [{"op": "add", "path": "/metadata/annotations", "value": {"b": "2"}}]
        notes = {"metadata": {"annotations": {"a": "1"}}}
        await patched(cluster, _STRATEGIC, name, notes)
        await patched(cluster, "application/json-patch+json", name, owners)
        await patched(cluster, "application/merge-patch+json", name, notes)
        path = resources.RECORDS.path(cluster.namespace, name)
        live = await cluster.client.get(resources.RECORDS, cluster.namespace, name)
        await cluster.client.request("PUT", path, {**live, "data": orjson.Fragment(data)})

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(ANYTHING)
    def each(value: Any) -> None:
        asyncio.run_coroutine_threadsafe(survives(value), loop).result(20)

    await asyncio.to_thread(each)


# D1
@rule("R20")
async def test_data_with_unsorted_keys_does_not_survive_a_strategic_merge_patch(
    cluster: Cluster,
) -> None:
    """The quirk of the API server that causes all this; once it is fixed, these can be removed."""
    await cluster.client.create(
        resources.RECORDS, cluster.namespace, record("unsorted", b'{"b":1,"a":2}')
    )
    with pytest.raises(ApiError, match="immutable"):
        await patched(cluster, _STRATEGIC, "unsorted", {"metadata": {"annotations": {"a": "1"}}})


# D1
@rule("R20")
async def test_kubectl_changes_metadata_of_a_record(cluster: Cluster) -> None:
    cluster.apply("<1>&", podTemplate={"metadata": {"annotations": {"a": "é <b> & ' \u2028"}}})
    await cluster.phase("Ready")
    (before,) = await cluster.children(resources.RECORDS)
    where = ("-n", cluster.namespace, "controllerrevision", before["metadata"]["name"])
    cluster.plane.kubectl("annotate", *where, "team=fraud")
    cluster.plane.kubectl("label", *where, "team=fraud")
    for kind in ("strategic", "merge"):
        patch = json.dumps({"metadata": {"annotations": {kind: "1"}}})
        cluster.plane.kubectl("patch", *where, f"--type={kind}", "-p", patch)
    text = cluster.plane.kubectl("get", *where, "-o", "yaml")
    cluster.plane.kubectl("replace", "-f", "-", stdin=text.replace("team: fraud", "team: other"))
    (after,) = await cluster.children(resources.RECORDS)
    assert after["data"] == before["data"]
    assert after["metadata"]["annotations"].items() >= {"team": "other", "strategic": "1"}.items()


# D1
@rule("R20")
async def test_orphaning_deletion_returns_and_keeps_serving(cluster: Cluster) -> None:
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    cluster.apply("2")
    await cluster.phase("Ready", "2")
    pods = {p["metadata"]["uid"] for p in await cluster.children(resources.PODS)}
    await orphan(cluster)
    for kind in (resources.RECORDS, resources.DEPLOYMENTS, resources.SERVICES):
        left = await cluster.children(kind)
        assert left
        assert all("ownerReferences" not in one["metadata"] for one in left)
    assert pods >= {p["metadata"]["uid"] for p in await cluster.children(resources.PODS)} != set()


async def orphan(cluster: Cluster) -> None:
    """`kubectl delete --cascade=orphan`, which waits until the model is deleted."""
    args = ("delete", "modeldeployment", "fraud", "-n", cluster.namespace, "--cascade=orphan")
    await asyncio.to_thread(cluster.plane.kubectl, *args, "--timeout=30s")


# C8, D1
@rule("R14", "R18", "R20", "R24")
async def test_recreated_model_adopts_the_remaining_children(cluster: Cluster) -> None:
    cluster.apply("1", scaling={"minReplicas": 2, "maxReplicas": 3})
    await cluster.phase("Ready", "1")
    cluster.apply("2", scaling={"minReplicas": 2, "maxReplicas": 3})
    before = (await cluster.phase("Ready", "2"))["stable"]["revision"]
    pods = {p["metadata"]["uid"] for p in await cluster.children(resources.PODS)}
    records = {r["metadata"]["uid"] for r in await cluster.children(resources.RECORDS)}
    (service,) = await cluster.children(resources.SERVICES)
    await orphan(cluster)
    cluster.apply("2", scaling={"minReplicas": 2, "maxReplicas": 3})
    status = await cluster.phase("Ready", "2")
    assert status["stable"]["revision"] == before
    uid = (await cluster.model())["metadata"]["uid"]
    for kind in (
        resources.RECORDS,
        resources.DEPLOYMENTS,
        resources.SERVICES,
        resources.AUTOSCALERS,
    ):
        left = await cluster.children(kind)
        assert left
        assert all(owners(one) == [uid] for one in left)
    assert {r["metadata"]["uid"] for r in await cluster.children(resources.RECORDS)} == records
    assert pods >= {p["metadata"]["uid"] for p in await cluster.children(resources.PODS)} != set()
    (after,) = await cluster.children(resources.SERVICES)
    assert after["spec"] == service["spec"]
    await cluster.event_reasons("Adopted")


# C8
@rule("R10", "R20")
async def test_another_spec_is_rolled_out_from_the_adopted_version(cluster: Cluster) -> None:
    cluster.apply("1")
    before = (await cluster.phase("Ready", "1"))["stable"]["revision"]
    await orphan(cluster)
    cluster.apply("2", rollout={"steps": [{"weight": 25, "pause": "Manual"}]})
    status = await cluster.until(lambda s: (s.get("weight") or 0) == 25)
    assert status["stable"]["revision"] == before
    assert status["stable"]["readyReplicas"] == 3


# C8
@rule("R24")
async def test_foreign_object_is_adopted_only_by_annotation(cluster: Cluster) -> None:
    foreign = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "fraud", "namespace": cluster.namespace, "labels": {"a": "b"}},
        "spec": {"selector": {"app": "theirs"}, "ports": [{"port": 80}]},
    }
    cluster.plane.kubectl("apply", "-f", "-", stdin=json.dumps(foreign))
    cluster.apply("1")
    status = await cluster.phase("Invalid")
    assert "annotate it with canarium.dev/adopt=fraud" in status["message"]
    live = await cluster.client.get(resources.SERVICES, cluster.namespace, "fraud")
    assert live["spec"]["selector"] == {"app": "theirs"}
    assert owners(live) == []
    where = ("-n", cluster.namespace, "service", "fraud")
    cluster.plane.kubectl("annotate", *where, "canarium.dev/adopt=fraud")
    await cluster.phase("Ready", "1", seconds=60)
    live = await cluster.client.get(resources.SERVICES, cluster.namespace, "fraud")
    assert owners(live) == [(await cluster.model())["metadata"]["uid"]]
    assert live["metadata"]["labels"]["a"] == "b"
    assert "canarium.dev/adopt" not in live["metadata"]["annotations"]


@rule("R23", "R24")
@pytest.mark.parametrize(
    "ports",
    [
        [{"port": 80, "targetPort": 8080, "protocol": "TCP"}],
        [
            {"name": "web", "port": 80, "targetPort": 8080, "protocol": "TCP"},
            {"name": "metrics", "port": 9090, "targetPort": 9090, "protocol": "TCP"},
        ],
    ],
    ids=["without a name", "with another name"],
)
async def test_ports_of_an_adopted_service_keep_their_names(
    cluster: Cluster, ports: list[dict[str, Any]]
) -> None:
    """A renamed port has no endpoints until they have the new name too: requests would fail."""
    foreign = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "fraud", "annotations": {"canarium.dev/adopt": "fraud"}},
        "spec": {"selector": {"app": "theirs"}, "ports": ports},
    }
    where = ("-n", cluster.namespace)
    cluster.plane.kubectl("apply", *where, "-f", "-", stdin=json.dumps(foreign))
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    cluster.apply("2")
    await cluster.phase("Ready", "2")
    live = await cluster.client.get(resources.SERVICES, cluster.namespace, "fraud")
    expected = [{**ports[0], "targetPort": "http"}, *ports[1:]]
    assert live["spec"]["ports"] == expected
    # What was edited is restored, but not the name.
    edited = [{**port, "targetPort": 7} for port in expected]
    patch = json.dumps({"spec": {"ports": edited}})
    cluster.plane.kubectl("patch", *where, "service", "fraud", "--type=merge", "-p", patch)
    for _ in range(100):
        live = await cluster.client.get(resources.SERVICES, cluster.namespace, "fraud")
        if live["spec"]["ports"][0]["targetPort"] == "http":
            break
        await asyncio.sleep(0.1)
    assert live["spec"]["ports"] == [expected[0], *edited[1:]]


def owners(obj: dict[str, Any]) -> list[str]:
    """UIDs of the controllers of an object."""
    return [o["uid"] for o in obj["metadata"].get("ownerReferences", ()) if o.get("controller")]


# D2
@rule("R20", "R29")
async def test_lingering_model_is_reported_and_keeps_serving(
    cluster: Cluster,
) -> None:
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    await finalized(cluster, resources.MODELS, "fraud", ["example.com/audit"])
    children = [
        await cluster.children(kind) for kind in (resources.DEPLOYMENTS, resources.SERVICES)
    ]
    await cluster.client.delete(resources.MODELS, cluster.namespace, "fraud")
    cluster.apply("2")  # The operator no longer acts on it.
    status = await cluster.phase("Terminating", seconds=15)
    assert "blocked by the finalizer example.com/audit" in status["message"]
    conditions = {c["type"]: (c["status"], c["reason"]) for c in status["conditions"]}
    assert conditions["Terminating"] == ("True", "FinalizersPending")
    assert conditions["Available"] == ("Unknown", "Terminating")
    assert (await cluster.event_reasons("Terminating")).count("Terminating") == 1
    after = [await cluster.children(kind) for kind in (resources.DEPLOYMENTS, resources.SERVICES)]
    assert [[one["spec"] for one in kind] for kind in after] == [
        [one["spec"] for one in kind] for kind in children
    ]
    await finalized(cluster, resources.MODELS, "fraud", None)


# D2
@rule("R20", "R29")
async def test_foreground_deletion_that_a_child_holds_up_names_the_child(cluster: Cluster) -> None:
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    (deployment,) = await cluster.children(resources.DEPLOYMENTS)
    name = deployment["metadata"]["name"]
    await finalized(cluster, resources.DEPLOYMENTS, name, ["example.com/audit"])
    args = ("delete", "modeldeployment", "fraud", "-n", cluster.namespace, "--wait=false")
    cluster.plane.kubectl(*args, "--cascade=foreground")
    status = await cluster.until(lambda s: name in s.get("message", ""), 20)
    assert status["phase"] == "Terminating"
    assert "blocked by the finalizer example.com/audit" in status["message"]
    await finalized(cluster, resources.DEPLOYMENTS, name, None)


# D1: a record as releases before canonical data stored it.
@rule("R20")
async def test_orphaning_deletion_returns_although_a_record_is_stored_unsorted(
    cluster: Cluster,
) -> None:
    cluster.apply("1")
    before = (await cluster.phase("Ready", "1"))["stable"]["revision"]
    (live,) = await cluster.children(resources.RECORDS)
    meta = live["metadata"]
    older = {
        **record("fraud-older", orjson.dumps(dict(reversed(live["data"].items())))),
        "revision": 0,
    }
    older["metadata"] = {
        "name": "fraud-older",
        "labels": {**meta["labels"], "canarium.dev/revision": "older"},
        "ownerReferences": meta["ownerReferences"],
    }
    await cluster.client.create(resources.RECORDS, cluster.namespace, older)
    await orphan(cluster)
    left = {r["metadata"]["name"]: r for r in await cluster.children(resources.RECORDS)}
    assert left.keys() == {"fraud-older", meta["name"]}
    assert all("ownerReferences" not in one["metadata"] for one in left.values())
    cluster.apply("1")
    assert (await cluster.phase("Ready", "1"))["stable"]["revision"] == before


async def finalized(
    cluster: Cluster, kind: resources.Resource, name: str, finalizers: list[str] | None
) -> None:
    """Another client sets the finalizers of an object."""
    patch = {"metadata": {"finalizers": finalizers}}
    await cluster.client.merge(kind, cluster.namespace, name, patch)


# C6
@rule("R1", "R18", "R23")
async def test_record_of_stable_deleted_mid_rollout_is_restored_and_a_restart_writes_nothing(
    cluster: Cluster,
) -> None:
    cluster.apply("1")
    stable = (await cluster.phase("Ready", "1"))["stable"]["revision"]
    cluster.apply("2", rollout={"steps": [{"weight": 25, "pause": "Manual"}]})
    await cluster.until(lambda s: (s.get("waitingFor") or {}).get("reason") == "Manual")
    pods = {p["metadata"]["uid"] for p in await cluster.children(resources.PODS)}
    before = await cluster.client.get(resources.RECORDS, cluster.namespace, f"fraud-{stable}")
    cluster.plane.kubectl(
        "delete", "controllerrevision", f"fraud-{stable}", "-n", cluster.namespace
    )
    for _ in range(100):
        found = {r["metadata"]["name"]: r for r in await cluster.children(resources.RECORDS)}
        if f"fraud-{stable}" in found:
            break
        await asyncio.sleep(0.1)
    after = found[f"fraud-{stable}"]
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
    assert after["data"]["model"]["version"] == "1"
    cluster.operator.stop()
    writes = len(cluster.writes())
    cluster.operator.start()
    await cluster.leading()
    assert cluster.writes()[writes:] == []
    assert {p["metadata"]["uid"] for p in await cluster.children(resources.PODS)} == pods


# Siblings of C6: parts of a child that a user removes.
@rule("R23")
@pytest.mark.parametrize("kind", ["deployment", "service", "controllerrevision"])
async def test_removed_labels_and_owners_are_restored_and_no_pod_restarts(
    cluster: Cluster, kind: str
) -> None:
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    pods = {p["metadata"]["uid"] for p in await cluster.children(resources.PODS)}
    resource = {
        "deployment": resources.DEPLOYMENTS,
        "service": resources.SERVICES,
        "controllerrevision": resources.RECORDS,
    }[kind]
    (child,) = await cluster.children(resource)
    meta, where = child["metadata"], ("-n", cluster.namespace, kind)

    async def again() -> None:
        for _ in range(150):
            live = await cluster.client.get(resource, cluster.namespace, meta["name"])
            if live["metadata"]["labels"].items() >= meta["labels"].items() and owners(live):
                break
            await asyncio.sleep(0.1)
        assert live["metadata"]["uid"] == meta["uid"]
        assert live["metadata"]["labels"].items() >= meta["labels"].items()
        assert owners(live) == owners(child)

    patch = '[{"op": "remove", "path": "/metadata/ownerReferences"}]'
    cluster.plane.kubectl("patch", *where, meta["name"], "--type=json", "-p", patch)
    await again()
    cluster.plane.kubectl("annotate", *where, meta["name"], "team=fraud")
    cluster.plane.kubectl("label", *where, meta["name"], "canarium.dev/model-")
    await again()
    await cluster.phase("Ready", "1")
    assert {p["metadata"]["uid"] for p in await cluster.children(resources.PODS)} == pods
