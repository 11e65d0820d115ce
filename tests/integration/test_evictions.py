"""Evictions by the eviction API, as a drain requests them, beside the budgets of models (R32)."""

from __future__ import annotations

import asyncio
import json
import subprocess
from collections.abc import Callable
from typing import Any

import pytest

from canarium.kube import resources
from canarium.kube.errors import ApiError
from integration.conftest import Cluster

rule = pytest.mark.rule
HALF = {"steps": [{"weight": 50, "pause": "Manual"}], "bakeTime": "0s"}
OWN = {
    "apiVersion": "policy/v1",
    "kind": "PodDisruptionBudget",
    "metadata": {"name": "own"},
    "spec": {"minAvailable": 1, "selector": {"matchLabels": {"canarium.dev/model": "fraud"}}},
}


async def pods(cluster: Cluster, revision: str) -> list[dict[str, Any]]:
    """Pods of a revision that are not terminating."""
    return [
        pod
        for pod in await cluster.children(resources.PODS)
        if pod["metadata"]["labels"]["canarium.dev/revision"] == revision
        and "deletionTimestamp" not in pod["metadata"]
    ]


async def budgets(cluster: Cluster) -> dict[str, dict[str, Any]]:
    """The budgets of models, by revision."""
    found = await cluster.children(resources.DISRUPTION_BUDGETS)
    return {b["metadata"]["labels"]["canarium.dev/revision"]: b for b in found}


async def until(holds: Callable[[], Any]) -> None:
    """Waits until an awaitable result is true."""
    async with asyncio.timeout(30):
        while not await holds():  # noqa: ASYNC110
            await asyncio.sleep(0.1)


async def settled(cluster: Cluster, *revisions: str) -> None:
    """Waits until these revisions have budgets, and the cluster has counted their pods."""

    async def counted() -> bool:
        found = await budgets(cluster)
        return set(found) == set(revisions) and all(
            b.get("status", {}).get("observedGeneration") == b["metadata"]["generation"]
            and b["status"]["currentHealthy"] == b["status"]["expectedPods"] > 0
            for b in found.values()
        )

    await until(counted)


def evict(cluster: Cluster, pod: dict[str, Any]) -> str:
    """Requests an eviction; returns why it was refused, or "" if it was permitted."""
    meta = pod["metadata"]
    path = f"{resources.PODS.path(meta['namespace'], meta['name'])}/eviction"
    body = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": meta["name"]}}
    try:
        cluster.plane.kubectl("create", "--raw", path, "-f", "-", stdin=json.dumps(body))
    except subprocess.CalledProcessError as error:
        return str(error.stderr)
    return ""


async def serving(cluster: Cluster, **spec: Any) -> str:
    """Version 1 serves; its revision."""
    cluster.apply("1", **spec)
    status = await cluster.phase("Ready", "1")
    revision: str = status["stable"]["revision"]
    return revision


@rule("R32")
async def test_second_pod_of_stable_is_evicted_only_after_the_first_was_replaced(
    cluster: Cluster,
) -> None:
    revision = await serving(cluster, scaling={"replicas": 2})
    await settled(cluster, revision)
    first, second = await pods(cluster, revision)
    assert evict(cluster, first) == ""
    assert "would violate the pod's disruption budget" in evict(cluster, second)
    await settled(cluster, revision)
    assert evict(cluster, second) == ""


@rule("R32")
async def test_single_pod_is_evicted(cluster: Cluster) -> None:
    revision = await serving(cluster, scaling={"replicas": 1})
    (pod,) = await pods(cluster, revision)
    assert evict(cluster, pod) == ""
    assert await budgets(cluster) == {}


@rule("R32")
async def test_model_scaled_to_one_pod_does_not_block_a_drain(cluster: Cluster) -> None:
    revision = await serving(cluster, scaling={"replicas": 2})
    await settled(cluster, revision)
    cluster.apply("1", scaling={"replicas": 1})
    await until(lambda: _counts(cluster, revision, 1))
    (pod,) = await pods(cluster, revision)
    assert evict(cluster, pod) == ""


async def _counts(cluster: Cluster, revision: str, number: int) -> bool:
    """Whether the budget of a revision counts so many pods, all of them healthy."""
    status = (await budgets(cluster))[revision].get("status", {})
    return (status.get("expectedPods"), status.get("currentHealthy")) == (number, number)


@rule("R32")
async def test_candidate_that_gets_too_few_pods_blocks_no_eviction_of_stable(
    cluster: Cluster,
) -> None:
    stable = await serving(cluster, scaling={"replicas": 2}, rollout=HALF)
    await settled(cluster, stable)
    # One pod for a candidate that needs two, for as long as the quota is full.
    await limited(cluster, "pods", 3)
    cluster.apply("2", scaling={"replicas": 2}, rollout=HALF)
    status = await cluster.until(lambda s: s.get("candidate"))
    candidate = status["candidate"]["revision"]
    await until(lambda: _has_budget(cluster, candidate))
    first, second = await pods(cluster, stable)
    assert evict(cluster, first) == ""
    assert "disruption budget" in evict(cluster, second)


@rule("R25", "R32")
async def test_pods_that_are_not_ready_may_all_be_evicted(cluster: Cluster) -> None:
    revision = await serving(cluster, scaling={"replicas": 3})
    await settled(cluster, revision)
    found = await pods(cluster, revision)
    for pod in found:
        await cluster.kubelet.unready(pod, seconds=1, lost=True)
    for pod in found:
        assert evict(cluster, pod) == ""


async def limited(cluster: Cluster, counted: str, most: int) -> None:
    """Sets a quota, and waits until it is enforced."""
    quota = {
        "apiVersion": "v1",
        "kind": "ResourceQuota",
        "metadata": {"name": "few"},
        "spec": {"hard": {counted: str(most)}},
    }
    cluster.plane.kubectl("-n", cluster.namespace, "apply", "-f", "-", stdin=json.dumps(quota))

    async def enforced() -> bool:
        raw = cluster.plane.kubectl("-n", cluster.namespace, "get", "quota", "few", "-o", "json")
        return "hard" in json.loads(raw).get("status", {})

    await until(enforced)


async def _has_budget(cluster: Cluster, revision: str) -> bool:
    return revision in await budgets(cluster)


@rule("R2", "R32")
async def test_versions_have_a_budget_each_which_is_deleted_with_their_deployment(
    cluster: Cluster,
) -> None:
    stable = await serving(cluster, scaling={"replicas": 2}, rollout=HALF)
    cluster.apply("2", scaling={"replicas": 2}, rollout=HALF)
    status = await cluster.until(lambda s: s.get("weight") == 50)
    candidate = status["candidate"]["revision"]
    await settled(cluster, stable, candidate)
    for revision in (stable, candidate):
        first, second = await pods(cluster, revision)
        assert evict(cluster, first) == ""
        assert "disruption budget" in evict(cluster, second)
    patch = f"canarium.dev/promote={candidate}/one"
    cluster.plane.kubectl("-n", cluster.namespace, "annotate", "mdl", "fraud", patch)
    await cluster.phase("Ready", "2")
    await settled(cluster, candidate)


@rule("R24", "R32")
async def test_budget_of_another_owner_replaces_ours_until_it_is_deleted(
    cluster: Cluster,
) -> None:
    revision = await serving(cluster, scaling={"replicas": 2})
    await settled(cluster, revision)
    cluster.operator.stop()
    cluster.plane.kubectl("-n", cluster.namespace, "apply", "-f", "-", stdin=json.dumps(OWN))
    (pod, _) = await pods(cluster, revision)
    # Why the operator's must be deleted: with two, no pod is ever evicted.
    assert "more than one PodDisruptionBudget" in evict(cluster, pod)
    cluster.operator.start()
    await until(lambda: _none(cluster))
    await until(lambda: _permitted(cluster, pod))
    cluster.plane.kubectl("-n", cluster.namespace, "delete", "pdb", "own")
    await settled(cluster, revision)


async def _none(cluster: Cluster) -> bool:
    return not await budgets(cluster)


async def _permitted(cluster: Cluster, pod: dict[str, Any]) -> bool:
    return evict(cluster, pod) == ""


@rule("R23", "R32")
@pytest.mark.parametrize(
    "edit",
    [
        {"spec": {"maxUnavailable": 2}},
        {"spec": {"selector": {"matchLabels": {"canarium.dev/color": "other"}}}},
        {"spec": {"unhealthyPodEvictionPolicy": "IfHealthyBudget"}},
        {"spec": {"maxUnavailable": None, "minAvailable": 2}},
        {"metadata": {"labels": {"canarium.dev/model": None}}},
        {"metadata": {"ownerReferences": None}},
        None,
    ],
    ids=lambda edit: "deleted" if edit is None else json.dumps(edit)[1:40],
)
async def test_edited_or_deleted_budget_is_restored(
    cluster: Cluster, edit: dict[str, Any] | None
) -> None:
    revision = await serving(cluster, scaling={"replicas": 2})
    await settled(cluster, revision)
    before = (await budgets(cluster))[revision]
    name = before["metadata"]["name"]
    if edit is None:
        cluster.plane.kubectl("-n", cluster.namespace, "delete", "pdb", name)
    else:
        patch = json.dumps(edit)
        cluster.plane.kubectl(
            "-n", cluster.namespace, "patch", "pdb", name, "--type=merge", "-p", patch
        )

    async def restored() -> bool:
        found = (await budgets(cluster)).get(revision)
        return found is not None and (found["spec"], found["metadata"].get("ownerReferences")) == (
            before["spec"],
            before["metadata"]["ownerReferences"],
        )

    await until(restored)


@rule("R1", "R32")
async def test_limit_changes_without_a_new_revision_and_can_be_switched_off(
    cluster: Cluster,
) -> None:
    revision = await serving(cluster)
    await settled(cluster, revision)

    async def limit() -> int | str | None:
        found = (await budgets(cluster)).get(revision)
        return found["spec"]["maxUnavailable"] if found else None

    async def changed(value: int | str | None) -> None:
        async def done() -> bool:
            return await limit() == value

        await until(done)

    assert await limit() == 1
    cluster.apply("1", podDisruptionBudget={"maxUnavailable": "50%"})
    await changed("50%")
    cluster.apply("1", podDisruptionBudget={"enabled": False})
    await changed(None)
    cluster.apply("1", podDisruptionBudget={"maxUnavailable": 2})
    await changed(2)
    assert len(await cluster.children(resources.RECORDS)) == 1


@rule("R29", "R32")
async def test_quota_for_budgets_delays_no_version(cluster: Cluster) -> None:
    await limited(cluster, "count/poddisruptionbudgets.policy", 0)
    cluster.apply("1")
    status = await cluster.until(lambda s: s.get("phase") == "Ready" and s.get("rejectedWrites"))
    assert [r["object"].split(" ")[0] for r in status["rejectedWrites"]] == ["PodDisruptionBudget"]
    assert status["rejectedWrites"][0]["reason"] == "QuotaExceeded"
    cluster.apply("2")
    await cluster.until(lambda s: s.get("version") == "2" and s.get("phase") == "Ready")
    cluster.plane.kubectl("-n", cluster.namespace, "delete", "quota", "few")
    status = await cluster.until(lambda s: not s.get("rejectedWrites"), seconds=60)
    assert len(await budgets(cluster)) == 1


@rule("R18", "R32")
async def test_second_reconcile_and_a_restart_write_no_budget_again(cluster: Cluster) -> None:
    revision = await serving(cluster)
    await settled(cluster, revision)

    def written() -> int:
        return sum(w["objectRef"]["resource"] == "poddisruptionbudgets" for w in cluster.writes())

    assert written() == 1
    cluster.operator.stop()
    cluster.operator.start()
    await cluster.leading()
    assert written() == 1


@rule("R20", "R32")
async def test_orphaning_deletion_keeps_the_budget_with_its_deployment(cluster: Cluster) -> None:
    revision = await serving(cluster)
    await settled(cluster, revision)
    before = (await budgets(cluster))[revision]["metadata"]["uid"]
    cluster.plane.kubectl("-n", cluster.namespace, "delete", "mdl", "fraud", "--cascade=orphan")
    await serving(cluster)
    await settled(cluster, revision)
    assert (await budgets(cluster))[revision]["metadata"]["uid"] == before


@rule("R32")
async def test_zero_is_refused_with_the_field(cluster: Cluster) -> None:
    for limit, text in ((0, "greater than or equal to 1"), ("0%", "should match")):
        with pytest.raises(subprocess.CalledProcessError) as refused:
            cluster.apply("1", podDisruptionBudget={"maxUnavailable": limit})
        assert "spec.podDisruptionBudget.maxUnavailable" in refused.value.stderr
        assert text in refused.value.stderr
    with pytest.raises(ApiError):
        await cluster.model()
