"""Devices of dynamic resource allocation: claims reach the pods, and Kubernetes creates them."""

from __future__ import annotations

import asyncio
import json

import pytest

from canarium.kube import resources
from canarium.kube.resources import Resource
from integration.conftest import Cluster

rule = pytest.mark.rule
CLAIMS = Resource("resource.k8s.io", "v1", "resourceclaims", "ResourceClaim")
TEMPLATE = {
    "apiVersion": "resource.k8s.io/v1",
    "kind": "ResourceClaimTemplate",
    "metadata": {"name": "large-gpu"},
    "spec": {
        "spec": {
            "devices": {
                "requests": [{"name": "gpu", "exactly": {"deviceClassName": "gpu.example.com"}}]
            }
        }
    },
}


@rule("R1", "R18")
async def test_each_pod_of_a_model_gets_a_separate_claim(cluster: Cluster) -> None:
    where = ("-n", cluster.namespace, "apply", "-f", "-")
    cluster.plane.kubectl(*where, stdin=json.dumps(TEMPLATE))
    claims = [{"name": "gpu", "resourceClaimTemplateName": "large-gpu"}]
    settings = {
        "scaling": {"replicas": 2},
        "resources": {"claims": [{"name": "gpu", "request": "gpu"}]},
        "pod": {"resourceClaims": claims},
    }
    cluster.apply("1", **settings)
    await cluster.phase("Ready", "1")
    pods = await cluster.children(resources.PODS)
    for pod in pods:
        assert pod["spec"]["resourceClaims"] == claims
        used = pod["spec"]["containers"][0]["resources"]["claims"]
        assert used == [{"name": "gpu", "request": "gpu"}]
    owners = set()
    for _ in range(100):
        found = await cluster.client.list(CLAIMS, cluster.namespace)
        owners = {one["metadata"]["ownerReferences"][0]["name"] for one in found["items"]}
        if len(owners) == len(pods):
            break
        await asyncio.sleep(0.2)
    assert owners == {pod["metadata"]["name"] for pod in pods}
    writes = len(cluster.writes())
    cluster.operator.stop()
    cluster.operator.start()
    await cluster.leading()
    assert len(cluster.writes()) == writes, "what the API server stores is not drift"
