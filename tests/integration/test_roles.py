"""The chart's roles are enough for all that the operator does, and grant little else."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from canarium.kube import resources
from integration import rights
from integration.conftest import SHORT_LEASE, Cluster, Operator

#: Granted, though nothing here uses it: each with its reason.
UNUSED = {
    ("update", "canarium.dev/modeldeployments/finalizers"): "asked by the admission plugin "
    "OwnerReferencesPermissionEnforcement, where it is on",
    ("create", "/configmaps"): "asked by the API server of an apply that makes the object",
    ("create", "/services"): "asked by the API server of an apply that makes the object",
    (
        "create",
        "autoscaling/horizontalpodautoscalers",
    ): "asked by the API server of an apply that makes the object",
    (
        "create",
        "policy/poddisruptionbudgets",
    ): "asked by the API server of an apply that makes the object",
    ("get", "policy/poddisruptionbudgets"): "whose it is that has the name already",
    ("get", "/services"): "whose it is that has the name already",
    ("get", "autoscaling/horizontalpodautoscalers"): "whose it is that has the name already",
    ("get", "apps/deployments"): "after a creation that succeeded before a crash",
    ("get", "apps/controllerrevisions"): "after a creation that succeeded before a crash",
    ("get", "canarium.dev/modeldeployments"): "after a conflict with a user's edit",
    ("get", "/secrets"): "logins of queries; proven with a real Prometheus",
    ("list", "/events"): "of a pod whose containers are not created; proven on a real node",
    ("delete", "/services"): "of single revisions, behind a route",
    ("get", "batch/jobs"): "whose it is that has the name already",
    ("create", "batch/jobs"): "of gates; proven in test_job_gates",
    ("delete", "batch/jobs"): "of gates; proven in test_job_gates",
    ("list", "/namespaces"): "of a release by label",
    ("watch", "/namespaces"): "of a release by label",
}


async def tour(cluster: Cluster) -> None:
    """Everything once: fetched and pinned, scaled, smoke-tested, failed, retried, pruned."""
    body = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "body"}}
    cluster.plane.kubectl(
        "-n", cluster.namespace, "apply", "-f", "-",
        stdin=json.dumps({**body, "data": {"a.json": "{}"}}),
    )  # fmt: skip
    fetched = {"version": "1", "uri": "s3://models/fraud/1/"}
    cluster.apply("1", model=fetched, revisionHistoryLimit=1)
    await cluster.phase("Ready", "1", seconds=60)
    cluster.apply("1", model=fetched, scaling={"replicas": 2}, revisionHistoryLimit=1)
    await until(cluster, resources.DEPLOYMENTS, lambda found: found[0]["spec"]["replicas"] == 2)
    smoke = {"bodyFrom": {"configMap": {"name": "body", "key": "a.json"}}, "path": "/"}
    cluster.apply("2", rollout={"smokeTests": [smoke]}, revisionHistoryLimit=1)
    await cluster.phase("RolledBack", "1", seconds=60)
    scaling = {"minReplicas": 2, "maxReplicas": 3}
    for version in ("3", "4"):
        cluster.apply(
            version, scaling=scaling, rollout={"bakeTime": "200ms"}, revisionHistoryLimit=1
        )
        await cluster.phase("Ready", version, seconds=60)
    cluster.apply("4", revisionHistoryLimit=1, rollout={"bakeTime": "200ms"})
    await until(cluster, resources.AUTOSCALERS, lambda found: not found)
    off = {"podDisruptionBudget": {"enabled": False}}
    cluster.apply("4", revisionHistoryLimit=1, rollout={"bakeTime": "200ms"}, **off)
    await until(cluster, resources.DISRUPTION_BUDGETS, lambda found: not found)
    (name,) = {d["metadata"]["name"] for d in await cluster.children(resources.DEPLOYMENTS)}
    cluster.plane.kubectl(
        "-n", cluster.namespace, "set", "image", f"deployment/{name}", "server=other:1"
    )
    await until(cluster, resources.DEPLOYMENTS, lambda found: "other:1" not in json.dumps(found))
    await until(cluster, resources.RECORDS, lambda found: len(found) <= 2)


async def until(cluster: Cluster, resource: resources.Resource, holds: Any) -> None:
    async with asyncio.timeout(30):
        while not holds(await cluster.children(resource)):  # noqa: ASYNC110
            await asyncio.sleep(0.05)


@pytest_asyncio.fixture
async def restricted(
    cluster: Cluster, request: pytest.FixtureRequest, tmp_path: Path
) -> AsyncIterator[Cluster]:
    """An operator of the test's namespace alone, with the chart's roles for that."""
    namespace = cluster.namespace
    where = f'scope.namespaces=["{namespace}"]'
    kubeconfig = rights.granted(
        cluster.plane, where, namespace=namespace, into=tmp_path / "kubeconfig"
    )
    cluster.operator.stop()
    operator = Operator(
        kubeconfig, tmp_path / "operator.log",
        "--namespace", namespace, "--lease-namespace", namespace, "--fetch-image", "fetch:1",
        *SHORT_LEASE,
    )  # fmt: skip
    operator.start()
    yield cluster
    operator.stop(signal.SIGTERM)
    cluster.operator.start()


async def test_roles_for_all_namespaces_are_sufficient_and_all_used(
    cluster: Cluster,
) -> None:
    await tour(cluster)
    audit = rights.Audit(cluster.plane)
    assert audit.forbidden() == set()
    odd = ("delete", "/secrets")
    idle = (rights.rules() | {odd}) - audit.used() - UNUSED.keys()
    # The kinds of routes may not be on this API server; their own tests and e2e/ have them.
    routes = ("gateway.networking.k8s.io", "networking.istio.io")
    assert {right for right in idle if not right[1].startswith(routes)} == {odd}


async def test_roles_for_single_namespaces_are_sufficient(restricted: Cluster) -> None:
    await tour(restricted)
    audit = rights.Audit(restricted.plane, restricted.namespace)
    assert ("create", "apps/deployments") in audit.used()
    assert audit.forbidden() == set()
