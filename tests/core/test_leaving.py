"""Pods that are to go and do not: who waits for them says for which, and since when (R8, R22)."""

from __future__ import annotations

from typing import Any

import pytest

from canarium.core.observed import Pod
from core.cluster import Cluster, spec

rule = pytest.mark.rule
RECREATE: dict[str, Any] = {"rollout": {"strategy": "Recreate"}}


def stuck(cluster: Cluster, reason: str, version: str) -> None:
    """The status names a pod of a version that is overdue, and writes no more than that."""
    pod = next(p for p in cluster.pods if cluster.version(p.revision) == version)
    assert f"pod {pod.name} should have ended at 1970-01-01T00:" in cluster.status.message
    hold = cluster.status.hold
    assert hold is not None
    assert (hold.reason, hold.pod) == (reason, pod.name)
    writes = cluster.writes
    cluster.run(60)
    assert cluster.writes == writes


@rule("R10")
def test_candidate_that_waits_for_a_color_names_the_pod_that_keeps_it() -> None:
    cluster = Cluster(spec("1")).run(10)
    cluster.spec = spec("2")
    cluster.run(8)
    cluster.grace = 1e9
    cluster.spec = spec("3")
    cluster.run(5)
    assert cluster.status.hold is not None
    assert cluster.status.hold.reason == "OlderVersionsGoing"
    assert cluster.status.hold.pod is None, "it has its time"
    cluster.run(30)
    stuck(cluster, "OlderVersionsGoing", "2")


@rule("R10", "R24")
def test_candidate_that_waits_for_a_pod_of_nobody_names_it() -> None:
    cluster = Cluster(spec("1")).run(10)
    cluster.spec = spec("2")
    cluster.pods.append(Pod("stray", "gone", "green", cluster.now, ready=True))
    for _ in range(3):
        cluster.reconcile()
        cluster.now += 6
    assert "pod stray belongs to no Deployment" in cluster.status.message
    assert cluster.status.hold is not None
    assert cluster.status.hold.pod == "stray"


@rule("R22")
def test_recreate_names_the_pod_of_stable_that_does_not_go() -> None:
    cluster = Cluster(spec("1", **RECREATE)).run(10)
    cluster.grace = 1e9
    cluster.spec = spec("2", **RECREATE)
    cluster.run(30)
    stuck(cluster, "Downtime", "1")


@rule("R22")
def test_recreate_names_the_failed_pod_that_keeps_stable_down() -> None:
    cluster = Cluster(spec("1", **RECREATE)).run(10)
    cluster.broken.add("2")
    cluster.spec = spec("2", **RECREATE)
    cluster.run(2)
    cluster.grace = 1e9
    cluster.run(30)
    stuck(cluster, "FailedPodsGoing", "2")
    cluster.dying = dict.fromkeys(cluster.dying, 0.0)
    cluster.run(20)
    assert cluster.serving() == {"1": 3}
    assert cluster.status.hold is None


@rule("R3", "R10")
def test_first_version_that_waits_for_a_color_names_the_pods_that_keep_it() -> None:
    cluster = Cluster(spec("1"))
    cluster.pods = [
        Pod(f"old-{color}", f"gone-{color}", color, 0.0, terminating=True, ends=990.0)
        for color in ("blue", "green")
    ]
    told = cluster.reconcile().status
    assert "pod old-blue should have ended at 1970-01-01T00:16:30Z" in told.message
    assert told.hold is not None
    assert told.hold.pod == "old-blue"
