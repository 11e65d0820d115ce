"""A revision is created from what its alias stands for, and keeps that (R26)."""

from __future__ import annotations

from typing import Any

import pytest

from canarium.core.facts.revision import ALGORITHM, RESOLVED, Record, new_record
from core.cluster import Cluster, spec

rule = pytest.mark.rule
AWAY = ("SourceUnavailable", "alias 'champion' of model 'fraud': the connection was refused")


def alias(version: str, **extra: Any) -> dict[str, Any]:
    uri, endpoint = "mlflow://fraud@champion", "https://mlflow.example"
    model = {"version": version, "uri": uri, "endpoint": endpoint}
    return {**spec(version), "model": model, **extra}


def live(registry: str = "mlflow://fraud/7") -> Cluster:
    cluster = Cluster(alias("1"))
    cluster.registry = registry
    cluster.run(15)
    assert cluster.status.phase == "Ready"
    return cluster


def condition(cluster: Cluster) -> tuple[str, str] | None:
    found = (c for c in cluster.status.conditions if c.type == "SourceResolved")
    return next(((c.status, c.reason) for c in found), None)


@rule("R1", "R26")
def test_revision_records_what_its_alias_stood_for() -> None:
    cluster = live()
    (record,) = cluster.records
    assert (record.algorithm, record.resolved) == (RESOLVED, "mlflow://fraud/7")
    assert cluster.status.stable
    assert cluster.status.stable.resolved == "mlflow://fraud/7"
    assert cluster.status.history[0].resolved == "mlflow://fraud/7"
    assert condition(cluster) == ("True", "Resolved")


@rule("R18", "R26")
def test_alias_that_moves_changes_nothing_before_a_new_revision_is_due() -> None:
    cluster = live()
    pods = {pod.name for pod in cluster.pods}
    cluster.registry = "mlflow://fraud/8"
    cluster.run(5)
    cluster.status = type(cluster.status)()  # It is lost.
    cluster.run(5)
    assert len(cluster.records) == 1
    assert {pod.name for pod in cluster.pods} == pods
    cluster.spec = alias("1", restartToken="again")
    cluster.run(60)
    assert [record.resolved for record in cluster.records] == [
        "mlflow://fraud/7",
        "mlflow://fraud/8",
    ]
    assert cluster.status.phase == "Ready"


@rule("R21", "R26")
@pytest.mark.parametrize("registry", [None, AWAY])
def test_registry_that_is_unreachable_leaves_what_serves(
    registry: tuple[str, str] | None,
) -> None:
    cluster = live()
    pods = {pod.name for pod in cluster.pods}
    cluster.registry = registry
    cluster.run(60)
    assert cluster.status.phase == "Ready", "the version that serves needs no registry"
    cluster.spec = alias("2")
    cluster.run(60)
    reason = registry[0] if registry else "SourceUnresolved"
    assert cluster.status.phase == "Invalid"
    assert condition(cluster) == ("False", reason)
    assert cluster.status.message.endswith("keeps serving.")
    assert {pod.name for pod in cluster.pods} == pods
    assert len([e for e in cluster.events if e.reason == reason]) == 1
    cluster.registry = "mlflow://fraud/8"
    cluster.run(60)
    assert cluster.status.phase == "Ready"
    assert cluster.status.version == "2"


@rule("R10", "R26")
def test_alias_that_cannot_be_resolved_during_a_rollout_ends_that_rollout() -> None:
    cluster = live()
    cluster.spec = spec("2")
    cluster.run(8)
    assert cluster.serving() == {"1": 3, "2": 1}
    cluster.registry = AWAY
    cluster.spec = alias("3")
    cluster.run(5)
    assert cluster.serving() == {"1": 3}


@rule("R9", "R16", "R26")
def test_quarantined_result_is_tried_again_only_by_a_retry_that_resolves_again() -> None:
    cluster = live()
    cluster.broken.add("2")
    cluster.registry = "mlflow://fraud/8"
    cluster.spec = alias("2")
    cluster.run(20)
    assert cluster.status.phase == "RolledBack"
    cluster.registry = "mlflow://fraud/9"
    cluster.run(60)
    assert cluster.status.phase == "RolledBack"
    assert len(cluster.records) == 2
    cluster.broken.clear()
    cluster.annotations["retry"] = f"{cluster.revision('2')}/one"
    cluster.run(60)
    assert cluster.status.phase == "Ready"
    assert [r.resolved for r in cluster.records][2:] == ["mlflow://fraud/9"]


@rule("R1", "R18", "R26")
def test_record_that_is_deleted_is_restored_with_its_result() -> None:
    cluster = live()
    pods = {pod.name for pod in cluster.pods}
    (record,) = cluster.records
    cluster.records = []
    cluster.registry = "mlflow://fraud/8"
    cluster.run(20)
    (again,) = cluster.records
    assert (again.revision, again.digest) == (record.revision, record.digest)
    assert (again.algorithm, again.resolved) == (RESOLVED, "mlflow://fraud/7")
    assert {pod.name for pod in cluster.pods} == pods


@rule("R1", "R26")
def test_revision_of_an_alias_without_a_result_stays_when_its_record_is_deleted() -> None:
    """Such as one that an operator stored before it resolved aliases."""
    new = new_record(alias("1"), [])
    assert new.algorithm == ALGORITHM
    cluster = Cluster(alias("1"))
    cluster.records = [
        Record(new.revision, 1, new.algorithm, new.digest, new.identity, "1", None, None)
    ]
    cluster.run(20)
    pods = {pod.name for pod in cluster.pods}
    assert cluster.status.phase == "Ready"
    cluster.records = []
    cluster.run(20)
    (again,) = cluster.records
    assert (again.revision, again.algorithm) == (new.revision, ALGORITHM)
    assert {pod.name for pod in cluster.pods} == pods


@rule("R1", "R26")
@pytest.mark.parametrize(
    ("uri", "resolved"),
    [
        ("hf://o/m@main", f"hf://o/m@{'c' * 40}"),
        ("oci://r/m:prod", f"oci://r/m@sha256:{'d' * 64}"),
    ],
)
def test_record_from_before_branches_and_tags_were_resolved_stays_valid(
    uri: str, resolved: str
) -> None:
    """A registry that is away asks nothing of it; only following it leads to another one."""
    model = {"version": "1", "uri": uri}
    wanted = {**spec("1"), "model": model}
    new = new_record(wanted, [])
    cluster = Cluster(wanted)
    cluster.registry = AWAY
    cluster.records = [
        Record(new.revision, 1, new.algorithm, new.digest, new.identity, "1", None, None)
    ]
    cluster.run(20)
    assert (cluster.status.phase, len(cluster.records)) == ("Ready", 1)
    assert condition(cluster) is None

    cluster.spec = {**wanted, "model": {**model, "follow": {"interval": "2m"}}}
    cluster.run(20)
    assert (cluster.status.phase, len(cluster.records)) == ("Ready", 1)
    cluster.registry = resolved
    cluster.run(120)
    assert cluster.status.stable
    assert (cluster.status.phase, cluster.status.stable.resolved) == ("Ready", resolved)
    assert [record.algorithm for record in cluster.records] == [ALGORITHM, RESOLVED]
