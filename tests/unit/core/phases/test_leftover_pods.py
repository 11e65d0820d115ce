"""Pods that do not terminate: a wait for them names the pod and since when (R8, R22)."""

from __future__ import annotations

from typing import Any

import pytest

from canarium.core.facts.pods import Pod
from core.cluster import Cluster, spec

rule = pytest.mark.rule
RECREATE: dict[str, Any] = {"rollout": {"strategy": "Recreate"}}


def stuck(cluster: Cluster, version: str) -> None:
    """The status names the pods of a version that are overdue, once and for as long as they are."""
    pods = [p.name for p in cluster.pods if cluster.version(p.revision) == version]
    assert pods
    for pod in pods:
        said = f"Pod/{pod} should have terminated by 1970-01-01T00:"
        assert any(one.message.startswith(said) for one in cluster.status.warnings)
        assert [e.message.startswith(said) for e in cluster.events].count(True) == 1


@rule("R10", "R13")
def test_stuck_pod_keeps_its_color_until_it_is_overdue_and_is_named() -> None:  # I6
    cluster = Cluster(spec("1")).run(10)
    cluster.spec = spec("2")
    cluster.run(8)
    cluster.grace = 1e9
    cluster.spec = spec("3")
    cluster.run(5)
    assert cluster.status.waiting_for is not None
    assert cluster.status.waiting_for.reason == "TerminatingOldRevisions"
    assert cluster.status.waiting_for.pod is None, "it has its time"
    cluster.run(4)
    assert "3" not in {cluster.version(p.revision) for p in cluster.pods}
    cluster.run(30)
    stuck(cluster, "2")
    assert "3" in cluster.serving()


@rule("R10", "R24")
def test_candidate_that_waits_for_an_orphaned_pod_names_it() -> None:
    cluster = Cluster(spec("1")).run(10)
    cluster.spec = spec("2")
    cluster.pods.append(Pod("stray", "gone", "green", cluster.now, ready=True))
    for _ in range(3):
        cluster.reconcile()
        cluster.now += 6
    assert "pod/stray belongs to no Deployment" in cluster.status.message
    assert cluster.status.waiting_for is not None
    assert cluster.status.waiting_for.pod == "stray"


@rule("R22")
def test_recreate_stops_waiting_for_a_stuck_pod_of_stable() -> None:  # I6
    cluster = Cluster(spec("1", **RECREATE)).run(10)
    cluster.grace = 1e9
    cluster.spec = spec("2", **RECREATE)
    cluster.run(8)
    assert cluster.serving() == {}
    cluster.run(22)
    stuck(cluster, "1")
    assert cluster.serving() == {"2": 3}


@rule("R22")
def test_recreate_restores_stable_although_a_failed_pod_is_stuck() -> None:  # I6
    cluster = Cluster(spec("1", **RECREATE)).run(10)
    cluster.broken.add("2")
    cluster.spec = spec("2", **RECREATE)
    cluster.run(2)
    cluster.grace = 1e9
    cluster.run(30)
    stuck(cluster, "2")
    assert cluster.serving() == {"1": 3}
    assert cluster.status.waiting_for is None


@rule("R3", "R10")
def test_first_version_starts_beside_stuck_pods() -> None:  # I6
    cluster = Cluster(spec("1"))
    cluster.pods = [
        Pod(f"old-{color}", f"gone-{color}", color, 0.0, terminating=True, terminates_by=990.0)
        for color in ("blue", "green")
    ]
    cluster.dying = dict.fromkeys(("old-blue", "old-green"), 1e9)
    cluster.run(10)
    assert cluster.serving() == {"1": 3}
    assert (
        sum(
            "should have terminated by 1970-01-01T00:16:30Z" in x.message
            for x in cluster.status.warnings
        )
        == 2
    )


@rule("R10", "R23")
def test_candidate_that_waits_for_the_color_of_a_released_pod_names_it() -> None:  # B4
    cluster = Cluster(spec("1")).run(10)
    cluster.spec = spec("2")
    cluster.released_pods.append(
        Pod("kept", "gone", "green", cluster.now, ready=True, controlled=False)
    )
    for _ in range(3):
        cluster.reconcile()
        cluster.now += 6
    assert "pod/kept was released by its ReplicaSet" in cluster.status.message
    cluster.released_pods.clear()
    cluster.run(60)
    assert cluster.serving() == {"2": 3}
