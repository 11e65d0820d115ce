"""A stable that does not recover, and a newer version than the one that serves in its place:
the fix of a fix is not delayed indefinitely (R13, decision 0011)."""

from __future__ import annotations

from typing import Any

import pytest

from canarium.api.status import Status
from core.cluster import Cluster, computed_once, gateway_spec, spec
from sweep import every

rule = pytest.mark.rule
BOTH = pytest.mark.parametrize("make", [spec, gateway_spec])
SOON = {
    "steps": [{"weight": 25, "pause": "30s"}],
    "progressDeadline": "60s",
    "bakeTime": "20s",
    "scaleDownDelay": "1s",
}


@computed_once
def held_up(make: Any = spec, *, failed: bool = False, **rollout: object) -> Cluster:
    """Version 1 is down, version 2 answers in its place, and version 3 is wanted."""
    asked = {**SOON, **rollout}
    cluster = Cluster(make("1", rollout=asked)).run(20)
    cluster.spec = make("2", rollout=asked)
    cluster.run(15)
    assert "2" in answering(cluster)
    cluster.crash("1").run(12)
    assert answering(cluster) == {"2"}
    if failed:
        cluster.annotations["abort"] = f"{cluster.revision('2')}/t1"
        cluster.run(3)
        assert cluster.status.waiting_for is not None
        assert cluster.status.waiting_for.reason == "RollbackBlocked"
    cluster.spec = make("3", rollout=asked)
    return cluster.run(5)


def answering(cluster: Cluster) -> set[str]:
    """The versions that have traffic."""
    if cluster.route is None:
        return set(cluster.serving())
    return {version for version, weight in cluster.weights().items() if weight}


def stable(cluster: Cluster) -> str | None:
    return cluster.status.version


@BOTH
@rule("R10", "R13")
def test_stable_that_recovers_in_time_stays_stable(make: Any) -> None:
    cluster = held_up(make)
    assert answering(cluster) == {"2"}
    assert cluster.status.waiting_for is not None
    assert (
        cluster.status.waiting_for.reason,
        cluster.status.waiting_for.expected_end_time is None,
    ) == (
        "StableUnavailable",
        False,
    )
    assert "version 2" in cluster.status.message
    cluster.heal("1").run(10)
    assert stable(cluster) == "1"
    cluster.run(120)
    assert answering(cluster) == {"3"}
    assert [o.version for o in reversed(cluster.status.history)] == ["1", "2", "3"]


@BOTH
@rule("R0", "R13", "R14")
@pytest.mark.parametrize("failed", [False, True])
def test_serving_candidate_becomes_stable_when_stable_stays_unavailable(
    make: Any, failed: bool
) -> None:
    cluster = held_up(make, failed=failed)
    pods = {p.name for p in cluster.pods if p.revision == cluster.revision("2") and p.ready}
    while stable(cluster) == "1" and cluster.now < 1_300:
        assert answering(cluster) == {"2"}
        cluster.run(1)
    assert stable(cluster) == "2"
    assert pods <= {p.name for p in cluster.pods if p.ready}, "no pod of it was replaced"
    assert [e.reason for e in cluster.events].count("StableUnavailable") == 1
    for _ in range(150):
        assert answering(cluster) <= {"2", "3"}
        assert answering(cluster)
        cluster.run(1)
    assert answering(cluster) == {"3"}
    assert cluster.status.phase == "Ready"
    ends = [(o.version, o.outcome) for o in reversed(cluster.status.history)]
    second = "Failed" if failed else "Superseded"
    assert ends == [("1", "Promoted"), ("2", second), ("2", "TookOver"), ("3", "Promoted")]


@BOTH
@rule("R8", "R9", "R13")
@pytest.mark.parametrize("failed", [False, True])
def test_fix_that_fails_is_rolled_back_to_the_new_stable(make: Any, failed: bool) -> None:
    cluster = held_up(make, failed=failed)
    cluster.broken = {"1", "3"}
    cluster.run(150)
    assert answering(cluster) == {"2"}
    assert cluster.status.phase == "RolledBack"
    assert stable(cluster) == "2"


@BOTH
@rule("R9", "R13")
def test_failed_version_that_became_stable_is_reported_as_failed_until_a_retry(make: Any) -> None:
    cluster = held_up(make, failed=True)
    while stable(cluster) == "1" and cluster.now < 1_300:
        cluster.run(1)
    cluster.spec = make("2", rollout=SOON)
    cluster.run(60)
    assert answering(cluster) == {"2"}
    assert cluster.status.phase == "Failed"
    conditions = {c.type: (c.status, c.reason) for c in cluster.status.conditions}
    assert conditions["Available"] == ("True", "Serving")
    assert conditions["Ready"] == ("False", "Aborted")
    assert conditions["Stalled"] == ("True", "Aborted")
    assert "It failed at" in cluster.status.message
    cluster.annotations["retry"] = f"{cluster.revision('2')}/again"
    cluster.run(120)
    assert cluster.status.phase == "Ready"
    assert answering(cluster) == {"2"}


@rule("R10", "R13", "R22")
def test_newer_version_during_a_recreate_follows_the_serving_version() -> None:
    asked = {**SOON, "strategy": "Recreate"}
    cluster = Cluster(gateway_spec("1", rollout=asked)).run(20)
    cluster.spec = gateway_spec("2", rollout=asked)
    while "2" not in answering(cluster) and cluster.now < 1_100:
        cluster.run(0.1)
    assert stable(cluster) == "1", "it answers, and is not promoted yet"
    cluster.spec = gateway_spec("3", rollout=asked)
    cluster.run(40)
    assert answering(cluster) == {"3"}
    assert cluster.status.phase == "Ready"


@BOTH
@rule("R13", "R16", "R29")
@pytest.mark.parametrize("failed", [False, True])
def test_pause_is_named_and_does_not_keep_an_unavailable_stable(make: Any, failed: bool) -> None:
    cluster = held_up(make, failed=failed)
    cluster.spec = {**make("3", rollout=SOON), "paused": True}
    cluster.run(5)
    assert "becomes stable at" in cluster.status.message
    assert "paused by spec.paused" in cluster.status.message
    assert "set spec.paused to false" in cluster.status.message
    cluster.run(200)
    assert (stable(cluster), answering(cluster)) == ("2", {"2"})
    assert cluster.status.waiting_for is not None
    assert cluster.status.waiting_for.reason == "Paused"
    assert set(cluster.deployments) == {cluster.revision("2")}
    cluster.spec = make("3", rollout=SOON)
    cluster.run(150)
    assert answering(cluster) == {"3"}


@BOTH
@rule("R13", "R18")
@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("at", every(range(1, 8)))
def test_takeover_continues_after_a_crash_at_any_write(make: Any, at: int, lost: bool) -> None:
    cluster = held_up(make)
    cluster.run(40).die_at = cluster.writes + at
    cluster.run(30)
    if lost:
        cluster.status = Status()
    cluster.run(250)
    assert answering(cluster) == {"3"}
    assert cluster.status.phase == "Ready"
