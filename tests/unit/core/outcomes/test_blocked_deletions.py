"""Objects that finalizers keep from being deleted are named, with the finalizers (R24, R29)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from canarium.api.status import Status
from canarium.core.bookkeeping.adoption import adoption, conflicts
from canarium.core.facts.object_ref import ObjectRef
from canarium.core.facts.observed import BlockedDeletion, NameConflict, Observed
from canarium.core.outcomes.blocked_deletions import described
from core.cluster import Cluster, spec

rule = pytest.mark.rule


def reported(cluster: Cluster) -> list[str]:
    return [e.message for e in cluster.events if e.reason == "DeletionBlocked"]


def blocked(cluster: Cluster) -> str:
    """The message of the condition; empty without it."""
    found = (c for c in cluster.status.conditions if c.type == "DeletionBlocked")
    return next((c.message for c in found if c.status == "True"), "")


# I6: a Deployment keeps its pods, and so a colour, until its finalizers are removed.
@rule("R10", "R29")
def test_rollout_that_waits_for_a_deployment_names_its_finalizers() -> None:
    cluster = Cluster(spec("1")).run(10)
    cluster.spec = spec("2")
    cluster.run(8)
    second = cluster.revision("2")
    cluster.deployments[second] = replace(cluster.deployments[second], terminating=True)
    cluster.blocked_deletions = [
        BlockedDeletion(ObjectRef("Deployment", f"m-{second}"), ("a.io/x", "b.io/y"), cluster.now)
    ]
    cluster.spec = spec("3")
    cluster.run(5)
    assert reported(cluster) == [], "its controllers have their time"
    cluster.run(10)
    assert cluster.status.waiting_for is not None
    assert cluster.status.waiting_for.reason == "TerminatingOldRevisions"
    name = f"Deployment/m-{second} has been terminating since"
    assert name in cluster.status.message
    assert "is blocked by the finalizers a.io/x, b.io/y" in cluster.status.message
    assert blocked(cluster).startswith(name)
    assert len(reported(cluster)) == 1
    del cluster.deployments[second]
    cluster.blocked_deletions.clear()
    cluster.run(90)
    assert cluster.serving() == {"3": 3}
    assert blocked(cluster) == ""
    assert "finalizer" not in cluster.status.message


@rule("R29")
@pytest.mark.parametrize("kind", ["Service", "HorizontalPodAutoscaler", "ControllerRevision"])
def test_lingering_object_is_reported_while_a_version_serves(
    kind: str,
) -> None:
    cluster = Cluster(spec("1")).run(10)
    cluster.blocked_deletions = [
        BlockedDeletion(ObjectRef(kind, "m"), ("example.com/cleanup",), cluster.now)
    ]
    cluster.run(12)
    assert cluster.status.phase == "Ready"
    assert f"{kind}/m has been terminating since" in cluster.status.message
    assert "is blocked by the finalizer example.com/cleanup" in blocked(cluster)


# I6
@rule("R10", "R29")
def test_pod_kept_by_a_finalizer_is_named_once() -> None:
    cluster = Cluster(spec("1")).run(10)
    cluster.spec = spec("2")
    cluster.run(8)
    cluster.grace = 1e9
    cluster.spec = spec("3")
    cluster.run(2)
    pods = [p for p in cluster.pods if cluster.version(p.revision) == "2"]
    cluster.blocked_deletions = [
        BlockedDeletion(ObjectRef("Pod", p.name), ("a.io/x",), p.terminates_by or 0.0) for p in pods
    ]
    cluster.run(30)
    warned = [
        x.message for x in cluster.status.warnings if x.message.startswith(f"Pod/{pods[0].name} ")
    ]
    assert len(warned) == 1
    assert warned[0].endswith("it is blocked by the finalizer a.io/x")


@rule("R20", "R24")
def test_name_kept_by_a_terminating_object_is_not_offered_for_adoption() -> None:
    kept = BlockedDeletion(ObjectRef("Service", "m"), ("a.io/x",), 0.0)
    text = conflicts(
        Observed(
            name_conflicts=(NameConflict(ObjectRef("Service", "m")),), blocked_deletions=(kept,)
        ),
        "m",
    )
    assert "blocked by the finalizer a.io/x" in text
    assert "annotate" not in text
    assert "annotate" in conflicts(
        Observed(
            name_conflicts=(
                NameConflict(ObjectRef("Deployment", "m-r")),
                NameConflict(ObjectRef("Service", "m")),
            )
        ),
        "m",
    )


@rule("R20")
def test_wait_for_children_of_a_deleted_model_names_the_finalizers() -> None:
    kept = BlockedDeletion(ObjectRef("Deployment", "m-r"), ("a.io/x",), 0.0)
    plan = adoption(
        Status(),
        Observed(owned_by_deleted=(ObjectRef("Deployment", "m-r"),), blocked_deletions=(kept,)),
    )
    assert plan
    assert "blocked by the finalizer a.io/x" in plan.status.message


def test_long_lists_are_counted() -> None:
    many = [BlockedDeletion(ObjectRef("Pod", f"p{n}"), tuple("abcde"), 0.0) for n in range(5)]
    text = described(many)
    assert "the finalizers a, b, c and 2 more" in text
    assert text.endswith("2 more objects are blocked in the same way.")
