"""Rollouts with smoke tests and checks, and the results of both."""

from __future__ import annotations

from typing import Any

from canarium.api.effective_analysis import EffectiveCheck
from canarium.api.effective_spec import effective_spec
from canarium.api.model_deployment import Spec
from canarium.core.evidence.verdict import Evidence, Finding, Verdict
from canarium.core.facts.check_templates import templates_from_json, with_templates
from core.cluster import Cluster, spec

CHECKS = [{"name": "errors", "metric": "ErrorRate", "max": "1%"}]
STEPS = {"steps": [{"weight": 25, "pause": "10s"}, {"weight": 50, "pause": "10s"}]}


def rollout(version: str, **more: Any) -> dict[str, Any]:
    return spec(version, rollout={**STEPS, "bakeTime": "20s", **more})


def live() -> Cluster:
    return Cluster(spec("1")).run(10)


def checks_of(cluster: Cluster, revision: str) -> tuple[EffectiveCheck, ...]:
    """The checks that judge `revision` at the moment, as an evaluation reads them."""
    analysis = effective_spec(Spec.model_validate(cluster.spec)).analysis
    record = cluster.observed().record(revision)
    recorded = templates_from_json(record.check_templates if record else None)
    return with_templates(analysis, recorded).checks if analysis else ()


def seen(cluster: Cluster, verdict: Verdict, *, exhausted: bool = True, value: float = 0.5) -> None:
    """Evaluates the requested analysis now."""
    watch = cluster.requests.analysis
    assert watch is not None
    reason = {"Pass": "WithinBounds", "Fail": "AboveMaximum"}.get(verdict, "NotEnoughSamples")
    text = f"{value} is above 0.01" if verdict is Verdict.FAIL else "12 of 100 observations"
    finding = Finding("errors", verdict, reason, text, value, 0.01, None, 120)
    failed = finding if verdict is Verdict.FAIL else None
    cluster.evidence = Evidence(
        watch.revision, watch.since, cluster.now, (finding,), failed,
        exhausted and verdict is Verdict.INSUFFICIENT, checks=checks_of(cluster, watch.revision),
    )  # fmt: skip
    cluster.settle()
