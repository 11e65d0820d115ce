"""The gate before the first traffic (R4) and verdicts on the way (R17), in virtual time."""

from __future__ import annotations

from typing import Any

import pytest

from canarium.api.reasons import CheckReason
from canarium.core.decision.plan import AnalysisRequest, SignalRequests
from canarium.core.evidence.verdict import Evidence, Finding, Verdict
from canarium.core.facts.observed import SmokeReport
from canarium.core.times import parse
from core.cluster import Cluster, spec

rule = pytest.mark.rule
SMOKE = {"smokeTests": [{"path": "/predict"}]}
CHECKS = [{"name": "errors", "metric": "ErrorRate", "max": "1%"}]
STEPS = {"steps": [{"weight": 25, "pause": "10s"}, {"weight": 50, "pause": "10s"}]}


def rollout(version: str, **more: Any) -> dict[str, Any]:
    return spec(version, rollout={**STEPS, "bakeTime": "20s", **more})


def analysed(version: str, **more: Any) -> dict[str, Any]:
    return rollout(version, analysis={"checks": CHECKS, **more})


def live() -> Cluster:
    return Cluster(spec("1")).run(10)


def report(cluster: Cluster, version: str, message: str = "") -> Cluster:
    """The smoke tests of `version` have ended."""
    revision = cluster.revision(version)
    cluster.smoke = SmokeReport(revision, not message, message, "p1" if message else None, 1)
    return cluster.settle()


def seen(cluster: Cluster, verdict: Verdict, *, exhausted: bool = True, value: float = 0.5) -> None:
    """A look at what is asked to be watched, now."""
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


@rule("R3", "R4")
def test_first_version_gets_no_traffic_before_its_smoke_tests_pass() -> None:
    cluster = Cluster(rollout("1", **SMOKE)).run(30)
    assert cluster.serving() == {}
    assert cluster.requests == SignalRequests(smoke=cluster.revision("1"))
    assert cluster.status.waiting_for is not None
    assert cluster.status.waiting_for.reason == "SmokeTests"
    report(cluster, "1").run(1)
    assert cluster.serving() == {"1": 3}
    assert cluster.requests == SignalRequests()


@rule("R3", "R4")
def test_first_version_fails_with_its_smoke_tests() -> None:
    cluster = Cluster(rollout("1", **SMOKE)).run(10)
    report(cluster, "1", "smoke test /predict: $.y is 2, expected 1").run(5)
    assert cluster.status.phase == "Failed"
    assert cluster.serving() == {}
    assert cluster.status.failure is not None
    assert "$.y is 2, expected 1" in cluster.status.failure.message


@rule("R4")
def test_candidate_waits_for_its_smoke_tests_without_any_traffic() -> None:
    cluster = live()
    cluster.spec = rollout("2", **SMOKE)
    cluster.run(700)
    assert cluster.serving() == {"1": 3}, "nor does the progress deadline count meanwhile"
    assert cluster.requests.smoke == cluster.revision("2")
    report(cluster, "2").run(5)
    assert cluster.serving() == {"1": 3, "2": 1}
    cluster.run(60)
    assert cluster.serving() == {"2": 3}


@rule("R4", "R9")
def test_candidate_that_fails_its_smoke_tests_is_quarantined_with_pod_and_reason() -> None:
    cluster = live()
    cluster.spec = rollout("2", **SMOKE)
    cluster.run(5)
    report(cluster, "2", "smoke test /predict: status 500, expected 200").run(10)
    assert cluster.status.phase == "RolledBack"
    failure = cluster.status.failure
    assert failure is not None
    assert (failure.reason, failure.pod) == ("SmokeTestFailed", "p1")
    assert all("2" not in share for _, share in cluster.shares)


@rule("R4", "R13")
def test_candidate_beside_a_broken_stable_takes_no_traffic_before_its_tests() -> None:
    cluster = live()
    cluster.spec = rollout("2", **SMOKE)
    cluster.run(1)
    cluster.crash("1")
    cluster.run(30)
    assert "2" not in cluster.serving()
    assert cluster.requests.smoke == cluster.revision("2")
    report(cluster, "2").run(5)
    assert "2" in cluster.serving()


@rule("R4", "R11")
def test_promoted_revision_that_returns_is_tested_again() -> None:
    cluster = live()
    cluster.spec = rollout("2")
    cluster.run(60)
    cluster.spec = rollout("1", **SMOKE)
    cluster.run(30)
    assert cluster.serving() == {"2": 3}
    report(cluster, "1").run(3)
    assert cluster.serving() == {"1": 3}


@rule("R4", "R18")
def test_smoke_report_of_another_revision_is_ignored() -> None:
    cluster = live()
    cluster.spec = rollout("2", **SMOKE)
    cluster.smoke = SmokeReport("other", True)
    cluster.run(20)
    assert cluster.serving() == {"1": 3}


def ready_tests(cluster: Cluster) -> tuple[str, str, str]:
    (found,) = (c for c in cluster.status.conditions if c.type == "SmokeTestsReady")
    return found.status, found.reason, found.message


@rule("R4", "R21")
def test_smoke_tests_that_cannot_run_hold_and_fail_nothing() -> None:
    cluster = live()
    cluster.spec = rollout("2", progressDeadline="30s", **SMOKE)
    cluster.run(5)
    revision, text = cluster.revision("2"), "ConfigMap bodies: not found"
    cluster.smoke = SmokeReport(revision, False, text, unusable=True)
    cluster.run(120)
    assert cluster.serving() == {"1": 3}
    assert (cluster.status.phase, cluster.status.failure) == ("Progressing", None)
    assert text in (cluster.status.message or "")
    assert ready_tests(cluster) == ("False", "InvalidTest", text)
    assert cluster.requests.smoke == revision, "still asked for, so that it is tried again"
    report(cluster, "2").run(60)
    assert cluster.serving() == {"2": 3}
    assert ready_tests(cluster)[0] == "True"


@rule("R21", "R30")
@pytest.mark.parametrize(
    "reason",
    [CheckReason.INVALID_TEST, CheckReason.EVALUATION_LIMIT, CheckReason.ANSWER_TOO_LARGE],
)
def test_reason_of_an_evaluation_without_a_result_reaches_the_condition(
    reason: CheckReason,
) -> None:
    cluster = live()
    cluster.spec = rollout("2", **SMOKE)
    cluster.run(5)
    revision = cluster.revision("2")
    cluster.smoke = SmokeReport(revision, False, "text", unusable=True, reason=reason)
    cluster.run(1)
    assert ready_tests(cluster) == ("False", reason, "Text")
    assert [e.message for e in cluster.events if e.reason == reason] == ["Text"]


@rule("R3", "R21")
def test_first_version_with_unusable_smoke_tests_reports_them_and_waits() -> None:
    cluster = Cluster(rollout("1", **SMOKE)).run(10)
    text = "spec.rollout.smokeTests[0].expect.json[0].path: '$.[' is no JSON path"
    cluster.smoke = SmokeReport(cluster.revision("1"), False, text, unusable=True)
    cluster.run(10)
    assert cluster.serving() == {}
    assert text in (cluster.status.message or "")
    assert cluster.status.phase != "Failed"


def canary(**more: Any) -> Cluster:
    """Version 2 at weight 25, and looked at."""
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
    assert cluster.serving() == {"1": 3, "2": 3}, "and the next step needs evidence of its own"
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
    assert "AnalysisFailed" in {e.reason for e in cluster.events}


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
    assert cluster.serving() == {"1": 3, "2": 1}, "nor by a look from before its end"
    seen(cluster, Verdict.INSUFFICIENT)
    cluster.run(4)
    assert cluster.serving() == serving
    assert (cluster.status.waiting_for.reason if cluster.status.waiting_for else None) == hold
    if policy == "RollBack":
        assert cluster.status.failure is not None
        assert cluster.status.failure.reason == "InsufficientData"
    else:
        told = {"Hold": "InsufficientData", "Promote": "AnalysisInsufficient"}[policy]
        assert [e.reason for e in cluster.events].count(told) == 1


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
