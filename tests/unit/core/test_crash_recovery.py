"""The operator dies before each single write of a story in turn; the end is always the same."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

import pytest

from canarium.core.evidence.verdict import Evidence, Finding, Verdict
from canarium.core.facts.observed import SmokeReport
from core.cluster import Cluster, spec
from sweep import every

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


class Dying(Cluster):
    """Its operator dies before each write of these numbers."""

    deaths: Collection[int] = ()

    def _dies(self) -> bool:
        if self.writes in self.deaths:
            self.die_at = self.writes
        return super()._dies()


@rule("R18")
@pytest.mark.parametrize("write", every(range(promotion().writes)))
def test_promotion_has_the_same_result_when_any_write_is_lost(write: int) -> None:
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
@pytest.mark.parametrize("write", every(_rollback_writes()))
def test_rollback_has_the_same_result_when_any_write_is_lost(write: int) -> None:
    cluster = rollback(write)
    assert cluster.die_at is None
    assert cluster.serving() == {"1": 3}
    assert cluster.status.phase == "RolledBack"


@rule("R9", "R18", "R29")
@pytest.mark.parametrize("apart", [1, 2, 3])
@pytest.mark.parametrize("write", every(_rollback_writes()))
def test_cause_of_a_rollback_is_kept_when_two_writes_fail(write: int, apart: int) -> None:
    cluster = Dying(spec("1")).run(10)
    cluster.spec = spec("2")
    cluster.run(8)
    cluster.deaths = {write, write + apart}
    cluster.crash("2").run(20)
    assert cluster.status.phase == "RolledBack"
    assert cluster.status.failure is not None
    assert cluster.status.failure.reason == "ServerExited"
    record = next(r for r in cluster.records if r.version == "2")
    assert '"ServerExited"' in (record.failure or "")


@rule("R9", "R18")
@pytest.mark.parametrize("by", ["test", "check"])
def test_cause_that_no_pod_shows_is_kept_when_the_record_is_not_written(by: str) -> None:
    rollout = {**spec("2")["rollout"]}
    if by == "test":
        rollout["smokeTests"] = [{"path": "/"}]
    else:
        rollout["analysis"] = {"checks": [{"name": "e", "metric": "ErrorRate", "max": "1%"}]}
    cluster = Cluster(spec("1")).run(10)
    cluster.spec = {**spec("2"), "rollout": rollout}
    cluster.run(8)
    revision = cluster.revision("2")
    if by == "test":
        cluster.smoke = SmokeReport(revision, False, "status 500", "p4", 1)
    else:
        failed = Finding("e", Verdict.FAIL, "AboveMaximum", "5% is above 1%", 0.05, 0.01)
        cluster.evidence = Evidence(revision, cluster.now, cluster.now, (failed,), failed)
    cluster.die_at = cluster.writes + 1
    cluster.reconcile()
    assert cluster.status.failure is None, "it died before it could report it"
    cluster.run(20)
    assert cluster.status.phase == "RolledBack"
    assert cluster.status.failure is not None
    assert (
        cluster.status.failure.reason == {"test": "SmokeTestFailed", "check": "AnalysisFailed"}[by]
    )


@rule("R9", "R15", "R18")
@pytest.mark.parametrize(
    "settings",
    [{}, {"rollout": {"steps": [], "bakeTime": "60s"}}],
    ids=["rollout", "bake"],
)
def test_verdict_survives_a_crash_right_after_the_traffic_returned(
    settings: dict[str, Any],
) -> None:
    cluster = Cluster(spec("1", **settings)).run(10)
    cluster.spec = spec("2", **settings)
    cluster.run(8)
    cluster.die_at = cluster.writes + 1
    cluster.crash("2").reconcile()
    assert cluster.serving() == {"1": 3}
    assert cluster.status.failure is None, "it died before it could report it"
    cluster.heal("2").run(60)
    assert cluster.serving() == {"1": 3}
    assert cluster.status.phase == "RolledBack"


@rule("R18")
def test_service_takes_precedence_over_a_status_from_before_the_promotion() -> None:
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
