"""Analysis of steps and bake: what passes, rolls back or holds, in virtual time (R17)."""

from __future__ import annotations

from typing import Any

import pytest

from canarium.core.decision.plan import AnalysisRequest
from canarium.core.evidence.verdict import Verdict
from canarium.core.times import parse
from core.cluster import Cluster, spec
from core.health.analysis_scenarios import CHECKS, live, rollout, seen

rule = pytest.mark.rule


def analysed(version: str, **more: Any) -> dict[str, Any]:
    return rollout(version, analysis={"checks": CHECKS, **more})


def canary(**more: Any) -> Cluster:
    """Version 2 at weight 25, under analysis."""
    cluster = live()
    cluster.spec = analysed("2", **more)
    cluster.run(4)
    assert cluster.serving() == {"1": 3, "2": 1}
    return cluster


@rule("R17")
def test_analysis_of_a_step_begins_when_its_weight_takes_effect() -> None:
    cluster = canary()
    assert cluster.status.progress is not None
    assert cluster.status.progress.step_start_time is not None
    since = parse(cluster.status.progress.step_start_time)
    expected = AnalysisRequest(cluster.revision("2"), cluster.revision("1"), since)
    assert cluster.requests.analysis == expected


@rule("R17")
def test_step_ends_on_a_pass_and_not_before_its_time() -> None:
    cluster = canary()
    seen(cluster, Verdict.PASS)
    assert cluster.serving() == {"1": 3, "2": 1}
    cluster.run(12)
    assert cluster.serving() == {"1": 3, "2": 3}, "and the next step needs new evidence"
    cluster.run(60)
    assert cluster.serving() == {"1": 3, "2": 3}
    seen(cluster, Verdict.PASS)
    cluster.run(3)
    assert cluster.serving() == {"2": 3}


@rule("R17")
def test_step_holds_without_any_analysis_result() -> None:
    cluster = canary().run(300)
    assert cluster.serving() == {"1": 3, "2": 1}
    assert cluster.status.waiting_for is not None
    assert cluster.status.waiting_for.reason == "Analysis"


@rule("R8", "R9", "R17")
@pytest.mark.parametrize("elapsed", [0, 20], ids=["within the step", "after its time"])
def test_failed_analysis_rolls_back_at_once_with_its_numbers(elapsed: int) -> None:
    cluster = canary().run(elapsed)
    seen(cluster, Verdict.FAIL)
    assert cluster.serving() == {"1": 3}
    failure = cluster.status.failure
    assert failure is not None
    assert (failure.reason, failure.observed, failure.threshold, failure.samples) == (
        "AnalysisFailed", "0.5", "0.01", 120,
    )  # fmt: skip
    assert "check errors: 0.5 is above 0.01" in cluster.status.message
    assert cluster.status.analysis is not None
    assert cluster.status.analysis.checks[0].verdict == "Fail"
    events = [e.reason for e in cluster.events]
    assert events.count("CheckFailed") == 1
    assert "AnalysisFailed" not in events, "it is the reason of the failure"


@rule("R17")
@pytest.mark.parametrize(
    ("policy", "serving", "hold"),
    [
        ("Hold", {"1": 3, "2": 1}, "InsufficientData"),
        ("Promote", {"1": 3, "2": 3}, "StepPause"),
        ("RollBack", {"1": 3}, None),
    ],
)
def test_insufficient_data_follows_the_policy_after_the_time_of_the_step(
    policy: str, serving: dict[str, int], hold: str | None
) -> None:
    cluster = canary(onInsufficientData=policy)
    seen(cluster, Verdict.INSUFFICIENT)
    assert cluster.serving() == {"1": 3, "2": 1}, "not within the step"
    cluster.run(12)
    assert cluster.serving() == {"1": 3, "2": 1}, "nor by an evaluation from before its end"
    seen(cluster, Verdict.INSUFFICIENT)
    cluster.run(4)
    assert cluster.serving() == serving
    assert (cluster.status.waiting_for.reason if cluster.status.waiting_for else None) == hold
    if policy == "RollBack":
        assert cluster.status.failure is not None
        assert cluster.status.failure.reason == "InsufficientData"
    else:
        reason = {"Hold": "InsufficientData", "Promote": "AnalysisInsufficient"}[policy]
        assert [e.reason for e in cluster.events].count(reason) == 1


@rule("R17")
def test_analysis_that_changes_no_verdict_writes_nothing() -> None:
    cluster = canary()
    seen(cluster, Verdict.INSUFFICIENT)
    cluster.run(15)
    seen(cluster, Verdict.INSUFFICIENT)
    before = cluster.writes
    for _ in range(50):
        cluster.now += 5
        seen(cluster, Verdict.INSUFFICIENT)
    assert cluster.writes == before


@rule("R16", "R17")
def test_promote_command_ends_a_step_that_lacks_evidence() -> None:
    cluster = canary().run(15)
    cluster.annotations["promote"] = f"{cluster.revision('2')}/t1"
    cluster.run(5)
    assert cluster.serving() == {"1": 3, "2": 3}


@rule("R17")
def test_steps_below_start_weight_are_not_analysed() -> None:
    cluster = canary(startWeight=50)
    assert cluster.requests.analysis is None
    cluster.run(15)
    assert cluster.serving() == {"1": 3, "2": 3}
    assert cluster.requests.analysis is not None


@rule("R15", "R17")
@pytest.mark.parametrize("during", [None, False])
def test_failed_analysis_during_the_bake_undoes_the_promotion_unless_disabled(
    during: bool | None,
) -> None:
    cluster = live()
    more = {} if during is None else {"duringBake": during}
    cluster.spec = spec("2", rollout={"bakeTime": "60s", "analysis": {"checks": CHECKS, **more}})
    cluster.run(10)
    assert cluster.status.phase == "Baking"
    if during is False:
        assert cluster.requests.analysis is None
        return
    assert cluster.requests.analysis is not None
    assert cluster.requests.analysis.revision == cluster.revision("2")
    seen(cluster, Verdict.FAIL)
    cluster.run(3)
    assert cluster.serving() == {"1": 3}
    assert cluster.status.history[0].outcome == "Undone"
