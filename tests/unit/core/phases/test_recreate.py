"""Strategy Recreate: one version at a time, and no downtime without an end (R22)."""

from __future__ import annotations

import pytest

from core.cluster import Cluster, spec
from core.rollout_scenarios import live

rule = pytest.mark.rule
RECREATE = {"rollout": {"strategy": "Recreate", "progressDeadline": "60s"}}


def replacing() -> Cluster:
    """Version 2 was applied, and version 1 is about to be scaled down for it."""
    cluster = live("1", **RECREATE)
    cluster.spec = spec("2", **RECREATE)
    return cluster


@rule("R13", "R22")
def test_stable_returns_at_the_deadline_when_the_quota_admits_no_pod_of_the_candidate() -> None:
    cluster = replacing()
    cluster.quota = 0
    cluster.run(30)
    assert cluster.status.phase == "Progressing"
    assert "exceeded quota" in cluster.status.message
    assert "fails at" in cluster.status.message
    cluster.run(40)
    cluster.quota = None
    cluster.run(10)
    assert cluster.serving() == {"1": 3}
    failure = cluster.status.failure
    assert (cluster.status.phase, failure and failure.reason) == (
        "RolledBack",
        "ProgressDeadlineExceeded",
    )
    assert failure is not None
    assert "exceeded quota" in failure.message
    assert "canarium.dev/retry" in cluster.status.message


@rule("R13", "R22")
def test_candidate_that_the_quota_admits_in_time_is_promoted() -> None:
    cluster = replacing()
    cluster.quota = 0
    cluster.run(50)
    cluster.quota = None
    cluster.run(20)
    assert cluster.serving() == {"2": 3}


@rule("R16", "R22")
def test_stable_is_not_scaled_down_while_the_rollout_is_paused() -> None:
    """The operator stopped between the two writes, and the rollout was paused."""
    cluster = replacing()
    cluster.die_at = cluster.writes + 2
    cluster.reconcile()
    assert len(cluster.deployments) == 2
    cluster.spec = {**cluster.spec, "paused": True}
    for _ in range(40):
        cluster.run(0.5)
        assert cluster.serving() == {"1": 3}
    cluster.spec = {**cluster.spec, "paused": False}
    cluster.run(30)
    assert cluster.serving() == {"2": 3}
