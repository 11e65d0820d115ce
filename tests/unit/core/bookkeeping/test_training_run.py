"""The lineage of a model on the record of its revision."""

from __future__ import annotations

from typing import Any

import pytest

from canarium.core.decision.plan import AnnotateRevision
from canarium.core.facts.training_run import RunRequest
from core.cluster import Cluster, spec

rule = pytest.mark.rule
ENDPOINT = "https://mlflow.example"


def trained(uri: str, **model: Any) -> Cluster:
    cluster = Cluster(
        {**spec("1"), "model": {"uri": uri, "version": "one", "endpoint": ENDPOINT, **model}}
    )
    cluster.registry = "mlflow://fraud/7"
    return cluster


@rule("R26")
@pytest.mark.parametrize(
    ("uri", "read"),
    [
        ("mlflow://fraud@champion", "mlflow://fraud/7"),
        ("mlflow://fraud/3", "mlflow://fraud/3"),
        ("mlflow://runs/f80d/model", "mlflow://runs/f80d/model"),
    ],
)
def test_lineage_is_requested_once_the_revision_is_stored(uri: str, read: str) -> None:
    cluster = trained(uri, credentials={"secretName": "mlflow-read"}).run(15)
    (record,) = cluster.records
    wanted = RunRequest(record.revision, read, ENDPOINT, "mlflow-read")
    assert cluster.requests.training_run == wanted
    assert cluster.status.phase == "Ready", "nothing waits for it"


def test_model_of_another_source_has_none() -> None:
    cluster = trained("s3://models/fraud/7").run(15)
    assert cluster.requests.training_run is None


@rule("R18")
def test_lineage_is_written_once_and_not_requested_again() -> None:
    cluster = trained("mlflow://fraud/7").run(15)
    before = cluster.writes
    cluster.lineage = '{"runId":"f80d"}'
    cluster.run(1)
    assert cluster.records[0].run_recorded
    assert cluster.requests.training_run is None
    assert cluster.writes == before + 1
    cluster.run(30)
    assert cluster.writes == before + 1


@rule("R8")
def test_rollback_precedes_the_lineage() -> None:
    cluster = trained("mlflow://fraud/7", version="7").run(15)
    model = {**cluster.spec["model"], "uri": "mlflow://fraud/8", "version": "8"}
    cluster.spec = {**cluster.spec, "model": model}
    cluster.run(8)
    assert cluster.status.phase == "Progressing"
    cluster.lineage = '{"runId":"f80d"}'
    cluster.crash("8")
    decision = cluster._decide()
    assert decision.phase == "RollingBack"
    last = decision.actions[-1]
    assert isinstance(last, AnnotateRevision)
    assert dict(last.facts) == {"training-run": cluster.lineage}
    assert len(decision.actions) > 1
