"""Services that keep requests in the zone of the caller, except where versions share them (R6)."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from canarium.kube import resources
from integration import gateways
from integration.conftest import Cluster
from integration.gateway_models import FAST, behind, put
from integration.gateways import Controller

rule = pytest.mark.rule
ZONE = {"distribution": "PreferSameZone"}
MANUAL = {"steps": [{"weight": 50, "pause": "Manual"}], "bakeTime": "2s"}


async def distributions(cluster: Cluster) -> dict[str, str | None]:
    """The field of each Service, by its name."""
    found = await cluster.children(resources.SERVICES)
    return {s["metadata"]["name"]: s["spec"].get("trafficDistribution") for s in found}


async def promote(cluster: Cluster, revision: str) -> None:
    note = f"canarium.dev/promote={revision}/on"
    cluster.plane.kubectl("-n", cluster.namespace, "annotate", "modeldeployment/fraud", note)


async def at_the_step(cluster: Cluster) -> str:
    status = await cluster.until(lambda s: (s.get("waitingFor") or {}).get("reason") == "Manual")
    revision: str = status["candidate"]["revision"]
    return revision


async def without_writes_after_a_restart(cluster: Cluster) -> None:
    await asyncio.sleep(1)
    writes = len(cluster.writes())
    cluster.operator.stop()
    cluster.operator.start()
    await cluster.leading()
    assert cluster.writes()[writes:] == []


@rule("R6", "R18")
async def test_service_prefers_the_zone_unless_two_versions_share_it(cluster: Cluster) -> None:
    cluster.apply("1", traffic=ZONE, rollout=MANUAL)
    await cluster.phase("Ready", "1")
    assert await distributions(cluster) == {"fraud": "PreferSameZone"}
    cluster.apply("2", traffic=ZONE, rollout=MANUAL)
    candidate = await at_the_step(cluster)
    assert await distributions(cluster) == {"fraud": None}
    await promote(cluster, candidate)
    await cluster.phase("Ready", "2")
    assert await distributions(cluster) == {"fraud": "PreferSameZone"}
    await without_writes_after_a_restart(cluster)
    cluster.apply("2", rollout=MANUAL)
    for _ in range(100):
        if await distributions(cluster) == {"fraud": None}:
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the field stays after it was removed from the spec")


@rule("R6")
async def test_every_backend_of_a_route_prefers_the_zone(cluster: Cluster) -> None:
    gateways.install(cluster.plane)
    put(cluster, gateways.gateway(cluster.namespace))
    controller = Controller(cluster.client, cluster.namespace)
    task = asyncio.create_task(controller.run())
    try:
        traffic = {**behind(), **ZONE}
        manual = {**FAST, "steps": [{"weight": 50, "pause": "Manual"}]}
        cluster.apply("1", traffic=traffic, rollout=manual)
        await cluster.phase("Ready", "1")
        cluster.apply("2", traffic=traffic, rollout=manual)
        await at_the_step(cluster)
        found = await distributions(cluster)
        assert len(found) == 3, found
        assert set(found.values()) == {"PreferSameZone"}
    finally:
        task.cancel()


def dropping(namespace: str) -> list[dict[str, Any]]:
    """A policy that does what an API server does whose feature gate is off: it drops the field."""
    group, name = "admissionregistration.k8s.io/v1", f"drop-{namespace}"
    rules = {
        "apiGroups": [""],
        "apiVersions": ["v1"],
        "operations": ["CREATE", "UPDATE"],
        "resources": ["services"],
    }
    drop = '[JSONPatch{op: "remove", path: "/spec/trafficDistribution"}]'
    has = {"name": "has", "expression": "has(object.spec.trafficDistribution)"}
    selector = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    return [
        {
            "apiVersion": group,
            "kind": "MutatingAdmissionPolicy",
            "metadata": {"name": name},
            "spec": {
                "failurePolicy": "Fail",
                "reinvocationPolicy": "Never",
                "matchConstraints": {"namespaceSelector": selector, "resourceRules": [rules]},
                "matchConditions": [has],
                "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": drop}}],
            },
        },
        {
            "apiVersion": group,
            "kind": "MutatingAdmissionPolicyBinding",
            "metadata": {"name": name},
            "spec": {"policyName": name},
        },
    ]


# I14
@rule("R18", "R23")
async def test_field_that_the_api_server_drops_is_not_written_again_and_again(
    cluster: Cluster,
) -> None:
    for body in dropping(cluster.namespace):
        cluster.plane.kubectl("apply", "-f", "-", stdin=json.dumps(body))
    probe = {
        "metadata": {"name": "probe"},
        "spec": {"ports": [{"port": 80}], "trafficDistribution": "PreferClose"},
    }
    for _ in range(200):
        where = (resources.SERVICES, cluster.namespace)
        made = await cluster.client.create(*where, json.loads(json.dumps(probe)), dry_run=True)
        if "trafficDistribution" not in made["spec"]:
            break
        await asyncio.sleep(0.1)
    cluster.apply("1", traffic=ZONE, rollout=MANUAL)
    await cluster.phase("Ready", "1")
    assert await distributions(cluster) == {"fraud": None}
    writes = len(cluster.writes())
    await asyncio.sleep(3)
    assert len(cluster.writes()) <= writes + 1, "at most the status"
    await without_writes_after_a_restart(cluster)
    cluster.apply("2", traffic=ZONE, rollout=MANUAL)
    await promote(cluster, await at_the_step(cluster))
    await cluster.phase("Ready", "2")
