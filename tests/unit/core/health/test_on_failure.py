"""What a failed check leads to: a rollback, a hold, or a warning only (R17)."""

from __future__ import annotations

from typing import Any

import pytest

from canarium.core.evidence.verdict import (
    Finding,
    OnFailure,
    Tally,
    TallyLimits,
    Verdict,
    evidence_from,
)
from core.cluster import Cluster, spec
from core.health.analysis_scenarios import checks_of

rule = pytest.mark.rule
STEPS = {"steps": [{"weight": 25, "pause": "10s"}, {"weight": 50, "pause": "10s"}]}
CHECKS = [{"name": "errors", "metric": "ErrorRate", "max": "1%"}]


def analysed(version: str) -> dict[str, Any]:
    return spec(version, rollout={**STEPS, "bakeTime": "20s", "analysis": {"checks": CHECKS}})


def finding(verdict: Verdict, policy: OnFailure, name: str = "errors") -> Finding:
    text = "0.5 is above 0.01"
    return Finding(name, verdict, "AboveMaximum", text, 0.5, 0.01, None, 120, on_failure=policy)


def seen(cluster: Cluster, *findings: Finding) -> None:
    """Evaluates the requested analysis now."""
    watch = cluster.requests.analysis
    assert watch is not None
    looks = [(f, Tally().after(f), TallyLimits()) for f in findings]
    cluster.evidence = evidence_from(
        watch.revision, watch.since, cluster.now, looks, checks_of(cluster, watch.revision)
    )
    cluster.settle()


def held() -> Cluster:
    """At weight 25, its time over, with a check that failed and whose policy is Hold."""
    cluster = Cluster(spec("1")).run(30)
    cluster.spec = analysed("2")
    cluster.run(5)
    seen(cluster, finding(Verdict.FAIL, OnFailure.HOLD))
    cluster.run(60)
    assert cluster.status.progress
    assert cluster.status.progress.weight == 25
    return cluster


@rule("R17")
def test_failed_check_that_holds_keeps_the_weight_and_rolls_nothing_back() -> None:
    cluster = held()
    assert cluster.status.phase == "Progressing"
    assert cluster.status.waiting_for
    assert cluster.status.waiting_for.reason == "CheckFailed"
    assert (cluster.status.waiting_for.observed, cluster.status.waiting_for.threshold) == (
        "0.5",
        "0.01",
    )
    assert "check errors failed: 0.5 is above 0.01" in cluster.status.message
    assert "CheckFailed" in [e.reason for e in cluster.events]


@rule("R17")
def test_held_rollout_continues_when_the_check_passes() -> None:
    cluster = held()
    seen(cluster, finding(Verdict.PASS, OnFailure.HOLD))
    cluster.run(5)
    assert cluster.status.progress
    assert cluster.status.progress.weight == 50


@rule("R16", "R17")
@pytest.mark.parametrize(("command", "expected"), [("promote", 50), ("abort", None)])
def test_held_rollout_is_decided_by_a_command(command: str, expected: int | None) -> None:
    cluster = held()
    cluster.annotations[command] = f"{cluster.revision('2')}/one"
    cluster.run(8)
    if expected:
        assert cluster.status.progress
        assert cluster.status.progress.weight == expected
    else:
        assert cluster.status.phase in ("RollingBack", "RolledBack")


@rule("R15", "R17")
def test_check_that_holds_in_the_bake_keeps_the_old_version_warm_until_it_passes() -> None:
    cluster = Cluster(spec("1")).run(30)
    cluster.spec = spec("2", rollout={"bakeTime": "20s", "analysis": {"checks": CHECKS}})
    while cluster.status.phase != "Baking":
        cluster.run(1)
    seen(cluster, finding(Verdict.FAIL, OnFailure.HOLD))
    cluster.run(120, tick=5)
    assert cluster.status.phase == "Baking"
    assert cluster.status.waiting_for
    assert cluster.status.waiting_for.reason == "CheckFailed"
    # The operator restarts: what it saw is lost, and that ends nothing.
    cluster.evidence = None
    cluster.run(60, tick=5)
    assert cluster.status.phase == "Baking"
    seen(cluster, finding(Verdict.PASS, OnFailure.HOLD))
    cluster.run(10)
    assert cluster.status.phase == "Ready"


@rule("R17")
@pytest.mark.parametrize("verdict", [Verdict.FAIL, Verdict.INSUFFICIENT])
def test_check_that_only_warns_is_reported_and_delays_nothing(verdict: Verdict) -> None:
    cluster = Cluster(spec("1")).run(30)
    cluster.spec = analysed("2")
    cluster.run(5)
    warns = finding(verdict, OnFailure.WARN, "drift")
    for _ in range(40):
        if cluster.requests.analysis:
            seen(cluster, finding(Verdict.PASS, OnFailure.ROLL_BACK), warns)
        cluster.run(1)
    assert cluster.status.version == "2"
    assert not [e for e in cluster.events if e.reason == "RolledBack"]
    if verdict is Verdict.FAIL:
        assert any("check drift" in e.message for e in cluster.events if e.kind == "Warning")


@rule("R17")
def test_check_that_rolls_back_takes_precedence_over_one_that_holds() -> None:
    looks = [
        (f, Tally().after(f), TallyLimits())
        for f in (
            finding(Verdict.FAIL, OnFailure.HOLD, "a"),
            finding(Verdict.FAIL, OnFailure.ROLL_BACK, "b"),
        )
    ]
    evidence = evidence_from("r", 0.0, 1.0, looks, ())
    assert evidence.failed
    assert evidence.failed.check == "b"
    assert evidence.verdict is Verdict.FAIL
