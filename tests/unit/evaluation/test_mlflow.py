"""What is kept of an answer about a run, however large or strange the answer is."""

from __future__ import annotations

import json
from typing import Any

import pytest

from canarium.evaluation import mlflow
from canarium.evaluation.errors import ErrorReason, EvaluationError
from canarium.evaluation.pool import Pool

rule = pytest.mark.rule
RUN = {
    "info": {"run_id": "f80d", "artifact_uri": "mlflow-artifacts:/1/f80d/artifacts"},
    "data": {
        "metrics": [
            {"key": "f1", "value": 0.8, "timestamp": 1, "step": 0},
            {"key": "auc", "value": 0.93, "timestamp": 1, "step": 0},
            {"key": "bad", "value": "NaN", "timestamp": 1, "step": 0},
        ],
        "tags": [{"key": "mlflow.source.git.commit", "value": "4f1c2d9"}],
    },
    "inputs": {
        "dataset_inputs": [
            {
                "tags": [{"key": "mlflow.data.context", "value": "training"}],
                "dataset": {"name": "transactions", "digest": "ab12", "source": "s3://private"},
            }
        ]
    },
}


def run(given: Any) -> dict[str, Any]:
    return mlflow.run(json.dumps({"run": given}).encode())


def test_run_has_commit_datasets_and_metrics() -> None:
    found = run(RUN)
    assert found["artifacts"] == "mlflow-artifacts:/1/f80d/artifacts"
    assert found["facts"] == {
        "gitCommit": "4f1c2d9",
        "datasets": [{"name": "transactions", "digest": "ab12", "context": "training"}],
        "metrics": {"auc": 0.93, "bad": "NaN", "f1": 0.8},
    }


@rule("R31")
def test_what_exceeds_the_bounds_is_counted() -> None:
    metric = {"key": "m" * 1000, "value": 1}
    whole = {
        "data": {"metrics": [{**metric, "key": f"{n:03}{'m' * 1000}"} for n in range(500)]},
        "inputs": {"dataset_inputs": [{"dataset": {"name": "d" * 1000}}] * 30},
    }
    facts = run(whole)["facts"]
    assert facts["omitted"] == {"datasets": 22, "metrics": 480}
    assert len(facts["metrics"]) == mlflow.METRICS
    assert len(json.dumps(facts)) < 4096


@pytest.mark.parametrize(
    "given",
    [
        None,
        [],
        {"data": []},
        {"data": {"metrics": {}, "tags": [1, {"key": 1}]}, "inputs": {"dataset_inputs": "no"}},
        {"info": {"artifact_uri": None}},
        {"data": {"metrics": [{}, {"key": None, "value": True}]}},
    ],
)
def test_run_of_another_shape_has_no_facts(given: Any) -> None:
    assert set(run(given)["facts"]) <= {"metrics"}


def test_answer_that_is_not_json_is_unreadable() -> None:
    with pytest.raises(EvaluationError) as refused:
        mlflow.run(b"<h1>Sign in</h1>")
    assert refused.value.reason is ErrorReason.UNREADABLE


def test_signature_has_columns_and_tensors() -> None:
    columns = [{"name": "amount", "type": "double", "required": True}]
    tensors = [{"type": "tensor", "tensor-spec": {"dtype": "float32", "shape": [-1, 3]}}]
    stored = f"signature:\n  inputs: '{json.dumps(columns)}'\n  outputs: '{json.dumps(tensors)}'\n"
    assert mlflow.signature(stored.encode()) == {
        "inputs": [{"name": "amount", "type": "double"}],
        "outputs": [{"type": "float32", "shape": "[-1, 3]"}],
    }


@pytest.mark.parametrize(
    "stored", ["", "flavors: {}", "signature: null", "signature: {inputs: null}", "[]"]
)
def test_model_without_a_signature_has_none(stored: str) -> None:
    assert mlflow.signature(stored.encode()) == {}


@rule("R31")
@pytest.mark.parametrize("stored", ["a: [", "a: !!python/object:os.system {}", "\x00", "? ? ? :"])
def test_file_that_is_not_plain_yaml_is_unreadable(stored: str) -> None:
    with pytest.raises(EvaluationError) as refused:
        mlflow.signature(stored.encode())
    assert refused.value.reason is ErrorReason.UNREADABLE


def bomb() -> bytes:
    """Seventeen lists, each of nine times the one before."""
    levels = [b"a: &a [x]"]
    for level in range(98, 115):
        levels.append(b"%c: &%c [%s]" % (level, level, b", ".join([b"*%c" % (level - 1)] * 9)))
    return b"\n".join([*levels, b"signature: {inputs: *r}"])


@rule("R31")
@pytest.mark.parametrize(
    ("stored", "outcome"),
    [
        # It uses up the processor time that a worker may take.
        pytest.param(b"[" * 100_000, "EvaluationLimit", marks=pytest.mark.slow),
        (bomb(), None),
        (b"signature:\n  inputs: '" + b"[" * 200_000 + b"'\n", "InvalidAnswer"),
    ],
    ids=["nested", "aliases", "nested JSON"],
)
async def test_hostile_file_costs_only_its_own_evaluation(
    pool: Pool, stored: bytes, outcome: str | None
) -> None:
    try:
        found, _ = await pool.evaluate("risk", "mlflow_signature", stored)
        reason = None if found == {"signature": {}} else "a signature"
    except EvaluationError as error:
        reason = error.reason.value
    assert reason == outcome
    found, _ = await pool.evaluate("risk", "mlflow_run", json.dumps({"run": RUN}).encode())
    assert found["facts"]["gitCommit"] == "4f1c2d9"
