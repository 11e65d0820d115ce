"""Behaviour of the API server on which the design depends, checked on a real one."""

from __future__ import annotations

from typing import Any

import pytest

from canarium.kube.errors import ApiError
from canarium.kube.resources import DEPLOYMENTS, RECORDS
from integration.conftest import Cluster

rule = pytest.mark.rule


def deployment(replicas: int | None) -> dict[str, Any]:
    labels = {"app": "pin"}
    container = {"name": "server", "image": "a:1"}
    spec: dict[str, Any] = {
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": {"containers": [container]}},
    }
    if replicas is not None:
        spec["replicas"] = replicas
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "pin"},
        "spec": spec,
    }


@rule("R2")
async def test_apply_that_drops_replicas_resets_them_to_one(cluster: Cluster) -> None:
    where = (DEPLOYMENTS, cluster.namespace, "pin")
    await cluster.client.apply(*where, deployment(3), force=False)
    after = await cluster.client.apply(*where, deployment(None), force=False)
    assert after["spec"]["replicas"] == 1


@rule("R2")
async def test_apply_without_replicas_keeps_the_count_of_creation_and_scale(
    cluster: Cluster,
) -> None:
    where = (DEPLOYMENTS, cluster.namespace, "pin")
    await cluster.client.create(DEPLOYMENTS, cluster.namespace, deployment(3))
    after = await cluster.client.apply(*where, deployment(None), force=True)
    assert after["spec"]["replicas"] == 3
    await cluster.client.merge(*where, {"spec": {"replicas": 5}}, "scale")
    after = await cluster.client.apply(*where, deployment(None), force=True)
    assert after["spec"]["replicas"] == 5


@rule("R2")
async def test_scale_changes_replicas_and_nothing_of_the_pods(cluster: Cluster) -> None:
    where = (DEPLOYMENTS, cluster.namespace, "pin")
    before = await cluster.client.create(DEPLOYMENTS, cluster.namespace, deployment(1))
    answer = await cluster.client.merge(*where, {"spec": {"replicas": 2}}, "scale")
    assert answer["kind"] == "Scale"
    after = await cluster.client.get(*where)
    assert after["spec"]["template"] == before["spec"]["template"]
    assert after["spec"]["replicas"] == 2
    assert after["metadata"]["generation"] == 2
    # The answer's version is the Deployment's own: the cache is amended by it.
    assert int(before["metadata"]["resourceVersion"]) < int(answer["metadata"]["resourceVersion"])
    assert int(answer["metadata"]["resourceVersion"]) <= int(after["metadata"]["resourceVersion"])
    again = await cluster.client.merge(*where, {"spec": {"replicas": 2}}, "scale")
    assert again["spec"]["replicas"] == 2
    assert (await cluster.client.get(*where))["metadata"]["generation"] == 2


@rule("R2")
async def test_selector_of_a_deployment_never_changes(cluster: Cluster) -> None:
    await cluster.client.create(DEPLOYMENTS, cluster.namespace, deployment(1))
    patch = {"spec": {"selector": {"matchLabels": {"app": "other"}}}}
    with pytest.raises(ApiError, match="immutable"):
        await cluster.client.merge(DEPLOYMENTS, cluster.namespace, "pin", patch)


@rule("R1")
async def test_data_of_a_record_never_changes_but_its_annotations_do(cluster: Cluster) -> None:
    body = {
        "apiVersion": "apps/v1",
        "kind": "ControllerRevision",
        "metadata": {"name": "pin"},
        "revision": 1,
        "data": {"a": 1},
    }
    where = (RECORDS, cluster.namespace, "pin")
    await cluster.client.create(RECORDS, cluster.namespace, body)
    with pytest.raises(ApiError, match="immutable"):
        await cluster.client.merge(*where, {"data": {"a": 2}})
    noted = await cluster.client.merge(*where, {"metadata": {"annotations": {"verdict": "x"}}})
    assert noted["metadata"]["annotations"] == {"verdict": "x"}
