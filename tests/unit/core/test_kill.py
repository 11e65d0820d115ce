"""The operator dies before each single write of a story in turn; the end is always the same."""

from __future__ import annotations

import pytest

from core.cluster import Cluster, spec

rule = pytest.mark.rule


def promotion(die_at: int | None = None) -> Cluster:
    cluster = Cluster(spec("1"), die_at=die_at).run(10)
    cluster.spec = spec("2")
    return cluster.run(80)


def rollback(die_at: int | None = None) -> Cluster:
    cluster = Cluster(spec("1")).run(10)
    cluster.spec = spec("2")
    cluster.run(8)
    cluster.die_at = die_at
    return cluster.crash("2").run(20)


@rule("R18")
@pytest.mark.parametrize("write", range(promotion().writes))
def test_promotion_ends_the_same_whichever_write_was_not_made(write: int) -> None:
    cluster = promotion(write)
    assert cluster.die_at is None, "the story is long enough to die at this write"
    assert cluster.serving() == {"2": 3}
    assert cluster.status.phase == "Ready"
    assert len(cluster.deployments) == 1
    assert len(cluster.records) == 2


def _rollback_writes() -> range:
    cluster = Cluster(spec("1")).run(10)
    cluster.spec = spec("2")
    return range(cluster.run(8).writes, rollback().writes)


@rule("R9", "R18")
@pytest.mark.parametrize("write", _rollback_writes())
def test_rollback_ends_the_same_whichever_write_was_not_made(write: int) -> None:
    cluster = rollback(write)
    assert cluster.die_at is None
    assert cluster.serving() == {"1": 3}
    assert cluster.status.phase == "RolledBack"


@rule("R9", "R18")
def test_verdict_outlives_a_death_right_after_the_traffic_was_taken_off() -> None:
    cluster = Cluster(spec("1")).run(10)
    cluster.spec = spec("2")
    cluster.run(8)
    cluster.die_at = cluster.writes + 1
    cluster.crash("2").reconcile()
    assert cluster.serving() == {"1": 3}
    assert cluster.status.failure is None, "it died before it could say so"
    cluster.heal("2").run(60)
    assert cluster.serving() == {"1": 3}
    assert cluster.status.phase == "RolledBack"


@rule("R18")
def test_service_is_believed_before_a_status_of_before_the_promotion() -> None:
    cluster = Cluster(spec("1")).run(10)
    cluster.spec = spec("2")
    cluster.run(29)
    before = cluster.status
    promoted = cluster.run(3)
    assert promoted.serving() == {"2": 3}
    promoted.status = before
    promoted.run(30)
    assert promoted.serving() == {"2": 3}
    assert all(share == {"2": 3} for at, share in promoted.shares if at > 1_000 + 45)
