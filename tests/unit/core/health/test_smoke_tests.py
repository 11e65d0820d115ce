"""Smoke tests before the first traffic (R4) and verdicts on the way (R17), in virtual time."""

from __future__ import annotations

import pytest

from canarium.api.reasons import CheckReason
from canarium.core.decision.plan import SignalRequests
from canarium.core.facts.observed import SmokeReport
from core.cluster import Cluster
from core.health.analysis_scenarios import live, rollout

rule = pytest.mark.rule
SMOKE = {"smokeTests": [{"path": "/predict"}]}


def report(cluster: Cluster, version: str, message: str = "") -> Cluster:
    """The smoke tests of `version` have ended."""
    revision = cluster.revision(version)
    cluster.smoke = SmokeReport(revision, not message, message, "p1" if message else None, 1)
    return cluster.settle()


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
    [
        CheckReason.INVALID_TEST,
        CheckReason.EVALUATION_LIMIT,
        CheckReason.ANSWER_TOO_LARGE,
        CheckReason.NO_INPUT_EXAMPLE,
    ],
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
    text = "spec.rollout.smokeTests[0].expect.json[0].path: '$.[' is not a JSON path"
    cluster.smoke = SmokeReport(cluster.revision("1"), False, text, unusable=True)
    cluster.run(10)
    assert cluster.serving() == {}
    assert text in (cluster.status.message or "")
    assert cluster.status.phase != "Failed"
