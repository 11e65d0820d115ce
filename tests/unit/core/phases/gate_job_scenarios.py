"""Rollouts that wait for the Job of a gate, and Jobs that end."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from canarium.api.states import JobState
from canarium.core.facts.gate_jobs import (
    JobOutcome,
    job_name,
)
from canarium.core.facts.gates import OpenedGate, gates_from_json
from core.cluster import Cluster, spec
from core.phases.gated_rollouts import gated

EVAL: dict[str, Any] = {
    "name": "eval",
    "before": "Weight",
    "weight": 50,
    "job": {"image": "eval:1", "args": ["--min", "0.9"]},
}


def name(cluster: Cluster, attempt: int = 1, version: str = "2") -> str:
    return job_name("m", cluster.revision(version), "eval", attempt)


def ends(
    cluster: Cluster,
    outcome: JobOutcome,
    code: int | None = None,
    text: str = "",
    results: str | None = None,
) -> Cluster:
    """Lets the Job that exists end, with a pod that shows this."""
    jobs = cluster.gate_jobs.values()
    (one,) = (x for x in jobs if x.state == JobState.RUNNING and not x.terminating)
    passed = outcome is JobOutcome.PASSED
    state = JobState.SUCCEEDED if passed else JobState.FAILED
    cluster.gate_jobs[one.name] = replace(one, state=state)
    cluster.job_results[one.name] = (outcome, code, text, results)
    return cluster.settle()


def recorded(cluster: Cluster, version: str = "2") -> OpenedGate:
    revision = cluster.revision(version)
    record = next(r for r in cluster.records if r.revision == revision)
    return next(one for one in gates_from_json(record.gates) if one.name == "eval")


SHARED: dict[str, Any] = {
    "name": "eval",
    "before": "Weight",
    "weight": 50,
    "job": {"modelGate": "fairness", "env": [{"name": "MIN", "value": "0.9"}]},
}
FAIRNESS = '{"env":[{"name":"MIN","value":"0.5"},{"name":"SET","value":"a"}],"image":"fair:1"}'


def sharing(fairness: str | None, seconds: float = 60) -> Cluster:
    """Version 2 is at the gate, whose ModelGate may exist."""
    cluster = Cluster(spec("1")).run(10)
    if fairness:
        cluster.model_gates["fairness"] = fairness
    cluster.spec = gated("2", SHARED)
    return cluster.run(seconds)
