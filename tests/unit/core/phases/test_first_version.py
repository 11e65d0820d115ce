"""The first version of a model: no traffic before it is ready, and nothing to roll back to (R3)."""

from __future__ import annotations

import pytest

from core.cluster import Cluster, spec
from core.rollout_scenarios import condition

rule = pytest.mark.rule


@rule("R3")
def test_first_version_gets_no_traffic_before_all_its_pods_are_ready() -> None:
    cluster = Cluster(spec("1")).run(1)
    assert cluster.service is None
    cluster.run(3)
    assert cluster.serving() == {"1": 3}
    assert cluster.status.phase == "Ready"
    assert condition(cluster, "Ready") == "True"


@rule("R3", "R7")
def test_first_version_that_exits_fails_and_its_pods_are_kept() -> None:
    cluster = Cluster(spec("1"), broken={"1"}).run(10)
    assert cluster.status.phase == "Failed"
    assert cluster.status.failure is not None
    assert cluster.status.failure.reason == "ServerExited"
    assert "code 0" in cluster.status.failure.message
    assert len(cluster.pods) == 3
    cluster.spec = spec("2")
    cluster.run(10)
    assert cluster.serving() == {"2": 3}
