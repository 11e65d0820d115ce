"""Changes by the API server or a policy during a write are not drift; later edits are."""

from __future__ import annotations

import asyncio
import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings

from canarium.engine.apply.drift import compare
from canarium.engine.cache.managed_fields import owned_by_us
from canarium.kube import resources
from canarium.kube.errors import ApiError
from canarium.kube.rejections import rejection_reason
from canarium.render.pod import overlay, pod_template
from integration.conftest import Cluster
from integration.overlays import SERVER, overlays

rule = pytest.mark.rule


def deployment(name: str, over: dict[str, Any]) -> dict[str, Any]:
    template = pod_template("m", "r", {}, SERVER)
    template = overlay(template, over)
    template["metadata"]["labels"] = {**(template["metadata"].get("labels") or {}), "n": name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": {"n": name}}, "template": template},
    }


def drift(live: dict[str, Any], wanted: dict[str, Any]) -> list[str]:
    owned = owned_by_us(live["metadata"]["managedFields"])
    assert owned
    return compare(live["spec"], wanted["spec"], owned).drift


# I14
@rule("R18", "R23")
async def test_value_normalised_by_the_api_server_is_not_drift(cluster: Cluster) -> None:
    loop = asyncio.get_running_loop()
    names = (f"any-{number}" for number in range(10_000))
    taken = 0

    async def holds(over: dict[str, Any]) -> bool:
        nonlocal taken
        name = next(names)
        wanted = deployment(name, over)
        where = (resources.DEPLOYMENTS, cluster.namespace)
        try:
            made = await cluster.client.create(*where, {**copy.deepcopy(wanted)})
        except ApiError as error:
            if not error.rejected:
                raise
            return False
        taken += 1
        assert drift(made, wanted) == []
        # A correction applies the whole object; then the same holds.
        try:
            applied = await cluster.client.apply(*where, name, copy.deepcopy(wanted), force=True)
        except ApiError as error:
            if rejection_reason(error) is None:
                raise
        else:
            assert drift(applied, wanted) == []
            assert applied["metadata"]["generation"] == made["metadata"]["generation"]
        await cluster.client.delete(*where, name)
        return True

    @settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
    @given(overlays())
    def each(over: dict[str, Any]) -> None:
        assume(asyncio.run_coroutine_threadsafe(holds(over), loop).result(30))

    await asyncio.to_thread(each)
    assert taken > 50


EDITED = {
    "containers": [
        {
            "name": "server",
            "image": "model:1",
            "args": ["serve"],
            "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
            "resources": {"limits": {"cpu": "1000m"}},
        }
    ],
    "volumes": [{"name": "v", "emptyDir": {}}],
    "tolerations": [{"key": "a", "operator": "Exists"}],
    "nodeSelector": {"a": "b"},
}


# I13, I14
@rule("R23")
@pytest.mark.parametrize(
    ("patch", "path"),
    [
        ({"containers": [{"name": "server", "image": "other:1"}]}, "containers[server].image"),
        ({"containers": [{"name": "server", "args": ["other"]}]}, "containers[server].args"),
        ({"containers": [{"name": "server", "args": None}]}, "containers[server].args"),
        (
            {"containers": [{"name": "server", "env": [{"name": "A", "value": "01"}]}]},
            "containers[server].env[A].value",
        ),
        (
            {"containers": [{"name": "server", "env": [{"name": "A", "$patch": "delete"}]}]},
            "containers[server].env[A].name",
        ),
        (
            {"containers": [{"name": "server", "resources": {"limits": {"cpu": "1001m"}}}]},
            "containers[server].resources.limits.cpu",
        ),
        ({"containers": [{"name": "server", "securityContext": None}]}, "containers[server]"),
        ({"automountServiceAccountToken": None}, "automountServiceAccountToken"),
        ({"automountServiceAccountToken": True}, "automountServiceAccountToken"),
        ({"enableServiceLinks": None}, "enableServiceLinks"),
        ({"terminationGracePeriodSeconds": 20}, "terminationGracePeriodSeconds"),
        ({"tolerations": [{"key": "other", "operator": "Exists"}]}, "tolerations"),
        ({"nodeSelector": {"a": "c"}}, "nodeSelector.a"),
        ({"nodeSelector": None}, "nodeSelector.a"),
        ({"volumes": [{"name": "v", "$patch": "delete"}]}, "volumes"),
    ],
    ids=str,
)
async def test_foreign_edit_is_drift(cluster: Cluster, patch: dict[str, Any], path: str) -> None:
    wanted = deployment("edited", {"spec": EDITED})
    where = (resources.DEPLOYMENTS, cluster.namespace)
    await cluster.client.create(*where, copy.deepcopy(wanted))
    edited = await cluster.client.request(
        "PATCH",
        resources.DEPLOYMENTS.path(cluster.namespace, "edited"),
        {"spec": {"template": {"spec": patch}}},
        query={"fieldManager": "kubectl-edit"},
        content_type="application/strategic-merge-patch+json",
    )
    found = drift(edited, wanted)
    assert [one for one in found if one.startswith(f"spec.template.spec.{path}")], json.dumps(
        [edited["metadata"]["managedFields"], edited["spec"]]
    )
    applied = await cluster.client.apply(*where, "edited", copy.deepcopy(wanted), force=True)
    assert drift(applied, wanted) == []


def mirror(namespace: str, *operations: str) -> list[dict[str, Any]]:
    """A policy that lets images come from a mirror, as input 13 has it."""
    image = "object.spec.template.spec.containers[0].image"
    where = "/spec/template/spec/containers/0/image"
    patch = f'[JSONPatch{{op: "replace", path: "{where}", value: "mirror.local/" + {image}}}]'
    group, name = "admissionregistration.k8s.io/v1", f"mirror-{namespace}"
    rules = {
        "apiGroups": ["apps"],
        "apiVersions": ["v1"],
        "operations": list(operations),
        "resources": ["deployments"],
    }
    return [
        {
            "apiVersion": group,
            "kind": "MutatingAdmissionPolicy",
            "metadata": {"name": name},
            "spec": {
                "failurePolicy": "Fail",
                "reinvocationPolicy": "IfNeeded",
                "matchConstraints": {
                    "namespaceSelector": {
                        "matchLabels": {"kubernetes.io/metadata.name": namespace}
                    },
                    "resourceRules": [rules],
                },
                "matchConditions": [
                    {"name": "once", "expression": f"!{image}.startsWith('mirror.local/')"}
                ],
                "mutations": [{"patchType": "JSONPatch", "jsonPatch": {"expression": patch}}],
            },
        },
        {
            "apiVersion": group,
            "kind": "MutatingAdmissionPolicyBinding",
            "metadata": {"name": name},
            "spec": {"policyName": name},
        },
    ]


async def mirrored(cluster: Cluster, *operations: str) -> None:
    """Puts the policy in place, and waits until it is in effect."""
    for body in mirror(cluster.namespace, *operations):
        cluster.plane.kubectl("apply", "-f", "-", stdin=json.dumps(body))
    probe = deployment("probe", {})
    for _ in range(200):
        made = await cluster.client.create(
            resources.DEPLOYMENTS, cluster.namespace, copy.deepcopy(probe), dry_run=True
        )
        if image_of(made).startswith("mirror.local/"):
            return
        await asyncio.sleep(0.1)
    raise AssertionError("the policy is not in effect")


def image_of(deployment: dict[str, Any]) -> str:
    image: str = deployment["spec"]["template"]["spec"]["containers"][0]["image"]
    return image


async def restarted_without_a_write(cluster: Cluster) -> None:
    await asyncio.sleep(0.5)
    before = cluster.writes()
    cluster.operator.stop()
    cluster.operator.start()
    await cluster.leading()
    assert cluster.writes() == before


# I13
@rule("R14", "R18", "R23")
@pytest.mark.parametrize("operations", [("CREATE",), ("CREATE", "UPDATE")], ids="-".join)
async def test_image_rewritten_by_a_policy_is_kept_and_restarts_no_pod(
    cluster: Cluster, operations: tuple[str, ...]
) -> None:
    await mirrored(cluster, *operations)
    cluster.apply("1")
    await cluster.phase("Ready", "1")
    cluster.apply("2")
    status = await cluster.phase("Ready", "2")
    (live,) = await cluster.children(resources.DEPLOYMENTS)
    assert image_of(live) == "mirror.local/model:2"
    # Any rolling update has a second ReplicaSet.
    assert live["metadata"]["annotations"]["deployment.kubernetes.io/revision"] == "1"
    modified = next(c for c in status["conditions"] if c["type"] == "ModifiedByAdmission")
    assert "spec.template.spec.containers[server].image" in modified["message"]
    await restarted_without_a_write(cluster)
    # An edit by another client is corrected all the same, and nothing else.
    name = live["metadata"]["name"]
    patch = {"spec": {"template": {"spec": {"terminationGracePeriodSeconds": 20}}}}
    args = ("patch", "deployment", name, "-n", cluster.namespace, "-p", json.dumps(patch))
    cluster.plane.kubectl(*args)
    for _ in range(200):
        (live,) = await cluster.children(resources.DEPLOYMENTS)
        if live["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] == 35:
            break
        await asyncio.sleep(0.1)
    else:
        raise AssertionError("the edit was not reverted")
    assert image_of(live) == "mirror.local/model:2"
    await cluster.phase("Ready", "2")
    await restarted_without_a_write(cluster)


# I14
@rule("R18", "R23")
async def test_restart_writes_nothing_for_any_form_of_the_values(cluster: Cluster) -> None:
    server = {
        "name": "server",
        "resources": {"limits": {"cpu": "1000m", "memory": "0.5Gi"}, "requests": {"cpu": 0.5}},
        "env": [{"name": "A", "value": ""}, {"name": "B"}],
        "livenessProbe": {"httpGet": {"path": "/", "port": "http"}, "timeoutSeconds": 0},
        "ports": [{"name": "http", "containerPort": 8080, "protocol": ""}],
    }
    cluster.apply(
        "1",
        podTemplate={
            "metadata": {"annotations": {"a": ""}},
            "spec": {
                "hostNetwork": False,
                "tolerations": [],
                "nodeSelector": {},
                "affinity": {},
                "dnsPolicy": "",
                "terminationGracePeriodSeconds": None,
                "containers": [server],
                "volumes": [{"name": "v", "emptyDir": {"sizeLimit": "1000Mi"}}],
            },
        },
        scaling={
            "minReplicas": 1,
            "maxReplicas": 2,
            "metrics": [
                {
                    "type": "Resource",
                    "resource": {
                        "name": "cpu",
                        "target": {"type": "AverageValue", "averageValue": "1000m"},
                    },
                }
            ],
        },
    )
    await cluster.phase("Ready", "1")
    await restarted_without_a_write(cluster)
    (live,) = await cluster.children(resources.DEPLOYMENTS)
    assert live["metadata"]["generation"] <= 2  # It may have been scaled.
    status = (await cluster.model())["status"]
    assert "ModifiedByAdmission" not in {c["type"] for c in status["conditions"]}
