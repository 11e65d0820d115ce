"""A record that is deleted while its Deployment runs is stored again (C6)."""

from __future__ import annotations

import pytest

from canarium.core.facts.revision import ALGORITHM, BY_NAME
from core.cluster import Cluster, spec

rule = pytest.mark.rule


def forgotten(cluster: Cluster, version: str) -> str:
    """Deletes the record of a version; its revision."""
    revision = cluster.revision(version)
    cluster.records = [r for r in cluster.records if r.revision != revision]
    return revision


def restored(cluster: Cluster) -> list[str]:
    return [e.message for e in cluster.events if e.reason == "RecordRestored"]


# C6
@rule("R1", "R18")
def test_record_of_stable_deleted_during_a_rollout_is_stored_again_and_nothing_restarts() -> None:
    cluster = Cluster(spec("1")).run(10)
    cluster.spec = spec("2", rollout={"steps": [{"weight": 25, "pause": "Manual"}]})
    cluster.run(15)
    pods = {p.name for p in cluster.pods}
    stable = forgotten(cluster, "1")
    cluster.run(5)
    assert {p.name for p in cluster.pods} == pods
    (record,) = [r for r in cluster.records if r.revision == stable]
    assert record.version == "1"
    assert record.algorithm == BY_NAME, "its identity is lost"
    assert record.number < max(r.number for r in cluster.records)
    assert len(restored(cluster)) == 1
    assert "its identity, runtime and lineage are lost" in restored(cluster)[0]
    assert not cluster.status.warnings
    assert cluster.status.version == "1"
    cluster.spec = spec("1")
    cluster.run(20)
    assert cluster.serving() == {"1": 3}
    assert {p.revision for p in cluster.pods} == {stable}, "the spec that returns to it means it"
    assert len(cluster.records) == 2


# C6
@rule("R18")
def test_record_of_stable_deleted_after_a_rollback_is_stored_again() -> None:
    cluster = Cluster(spec("1")).run(10)
    cluster.broken.add("2")
    cluster.spec = spec("2")
    cluster.run(20)
    assert cluster.status.phase == "RolledBack"
    stable = forgotten(cluster, "1")
    cluster.run(5)
    assert stable in {r.revision for r in cluster.records}
    assert cluster.status.phase == "RolledBack"
    del cluster.deployments[stable]
    cluster.run(20)
    assert cluster.serving() == {"1": 3}, "its Deployment is made from the restored record"


# C6
@rule("R15", "R18")
def test_record_of_the_warm_version_is_stored_again_and_can_be_undone_to() -> None:
    cluster = Cluster(spec("1")).run(10)
    cluster.spec = spec("2", rollout={"bakeTime": "60s"})
    cluster.run(10)
    assert cluster.status.phase == "Baking"
    warm = forgotten(cluster, "1")
    cluster.run(3)
    assert warm in {r.revision for r in cluster.records}
    cluster.crash("2").run(10)
    assert cluster.serving() == {"1": 3}


# C6: without its record, `abc-2` would be taken for `abc`, which has failed.
@rule("R1", "R18")
def test_record_of_a_retry_is_stored_again_before_anything_is_decided() -> None:
    cluster = Cluster(spec("1")).run(10)
    cluster.broken.add("2")
    cluster.spec = spec("2")
    cluster.run(20)
    failed = cluster.revision("2")
    cluster.heal("2")
    cluster.annotations["retry"] = f"{failed}/t"
    cluster.run(90)
    assert cluster.serving() == {"2": 3}
    second = forgotten(cluster, "2")
    assert second == f"{failed}-2"
    pods = {p.name for p in cluster.pods}
    cluster.run(20)
    (record,) = [r for r in cluster.records if r.revision == second]
    assert record.algorithm == ALGORITHM, "the spec has its whole identity"
    assert {p.name for p in cluster.pods} == pods
    assert cluster.status.phase == "Ready"
