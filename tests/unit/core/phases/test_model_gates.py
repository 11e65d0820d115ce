"""R27: a gate whose Job is that of a ModelGate."""

from __future__ import annotations

import json

import pytest

from canarium.core.facts.gate_jobs import (
    JobOutcome,
)
from core.cluster import Cluster, spec
from core.phases.gate_job_scenarios import EVAL, FAIRNESS, SHARED, ends, recorded, sharing
from core.phases.gated_rollouts import gated, state
from core.phases.test_web_gates import condition

rule = pytest.mark.rule


@rule("R27")
def test_model_gate_is_expanded_into_the_record_with_the_fields_of_the_gate() -> None:
    cluster = sharing(FAIRNESS)
    (action,) = cluster.started_jobs
    assert json.loads(action.job) == {
        "image": "fair:1",
        "modelGate": "fairness",
        "env": [{"name": "SET", "value": "a"}, {"name": "MIN", "value": "0.9"}],
    }
    assert recorded(cluster).job == action.job
    assert condition(cluster, "GatesReady")[0] == "True"


@rule("R27")
@pytest.mark.parametrize("later", ['{"image":"passes:1"}', None])
def test_edit_of_a_model_gate_does_not_change_one_that_waits(later: str | None) -> None:
    cluster = sharing(FAIRNESS)
    if later:
        cluster.model_gates["fairness"] = later
    else:
        del cluster.model_gates["fairness"]
    cluster.run(60)
    assert len(cluster.started_jobs) == 1
    assert condition(cluster, "GatesReady")[0] == "True"
    ends(cluster, JobOutcome.LOST, text="its pod was deleted")
    assert [one.job for one in cluster.started_jobs] == [recorded(cluster).job] * 2
    ends(cluster, JobOutcome.PASSED, 0)
    assert set(cluster.run(120).serving()) == {"2"}


@rule("R21", "R27")
def test_missing_model_gate_is_reported_with_its_field_before_the_gate_waits() -> None:
    cluster = sharing(None, seconds=3)
    assert state(cluster, "eval").state == "Pending"
    text = "ModelGate/fairness does not exist"
    expected = ("False", "ModelGateNotFound", f"spec.rollout.gates[eval].job.modelGate: {text}")
    assert condition(cluster, "GatesReady") == expected
    cluster.run(3600, tick=5)
    assert cluster.status.weight == 25
    assert cluster.status.waiting_for
    assert cluster.status.waiting_for.reason == "GateUnavailable"
    assert f"Its Job cannot run now: {text}" in cluster.status.message
    assert condition(cluster, "GatesReady") == expected
    assert recorded(cluster).job is None


@rule("R27")
def test_gate_runs_once_its_model_gate_exists() -> None:
    cluster = sharing(None)
    cluster.model_gates["fairness"] = FAIRNESS
    cluster.settle()
    assert len(cluster.started_jobs) == 1
    ends(cluster, JobOutcome.PASSED, 0)
    assert set(cluster.run(120).serving()) == {"2"}


@rule("R27")
def test_timeout_applies_while_the_model_gate_is_missing() -> None:
    cluster = Cluster(spec("1")).run(10)
    cluster.spec = gated("2", {**SHARED, "timeout": "1m", "onError": "RollBack"})
    cluster.run(300)
    assert set(cluster.serving()) == {"1"}
    assert cluster.status.failure
    assert cluster.status.failure.reason == "GateTimedOut"


@rule("R27")
def test_gate_removed_before_its_model_gate_existed_names_what_to_do() -> None:
    cluster = sharing(None)
    cluster.spec = gated("2")
    cluster.run(60)
    assert cluster.status.weight == 25
    assert "Nothing runs without it: add it to the spec again, as a job" in cluster.status.message
    cluster.spec = gated("2", EVAL)
    cluster.run(10)
    ends(cluster, JobOutcome.PASSED, 0)
    assert set(cluster.run(120).serving()) == {"2"}


@rule("R30")
@pytest.mark.parametrize("template", ["x", "[]", "{" * 5000])
def test_damaged_model_gate_is_treated_as_missing(template: str) -> None:
    cluster = sharing(template)
    assert not cluster.started_jobs
    assert condition(cluster, "GatesReady")[1] == "ModelGateNotFound"


@rule("R21", "R31")
def test_model_gate_whose_job_is_too_long_is_named() -> None:
    cluster = Cluster(spec("1")).run(10)
    cluster.model_gates["fairness"] = ""
    cluster.spec = spec("2")
    job = {"name": "bias", "before": "Traffic", "job": {"modelGate": "fairness"}}
    cluster.spec["rollout"]["gates"] = [job]
    cluster.run(10)
    assert not cluster.status.weight
    assert "ModelGate/fairness is longer than 256 KiB" in cluster.status.message
