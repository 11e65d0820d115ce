"""Rollouts with smoke tests and checks, and the results of both."""

from __future__ import annotations

from typing import Any

from canarium.core.evidence.verdict import Evidence, Finding, Verdict
from core.cluster import Cluster, spec

CHECKS = [{"name": "errors", "metric": "ErrorRate", "max": "1%"}]
STEPS = {"steps": [{"weight": 25, "pause": "10s"}, {"weight": 50, "pause": "10s"}]}


def rollout(version: str, **more: Any) -> dict[str, Any]:
    return spec(version, rollout={**STEPS, "bakeTime": "20s", **more})


def live() -> Cluster:
    return Cluster(spec("1")).run(10)


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
        exhausted and verdict is Verdict.INSUFFICIENT,
    )  # fmt: skip
    cluster.settle()
