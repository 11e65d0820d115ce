"""The last evaluations of each check in the status: no evaluation causes a write."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import pytest

from canarium.api.reasons import CheckReason
from canarium.core.evidence.faulty_object import FaultyObject, ObjectProblem
from canarium.core.evidence.history import (
    IN_ALL,
    PER_CHECK,
    PastEvaluation,
    appended,
    evaluations_per_check,
)
from canarium.core.evidence.measures import Reading
from canarium.core.evidence.verdict import Bounds, Evidence, Finding, Verdict, judge
from core.cluster import Cluster
from core.health.analysis_scenarios import CHECKS, checks_of, live, rollout


def canary() -> Cluster:
    """Version 2 at weight 25, with a check."""
    cluster = live()
    cluster.spec = rollout("2", analysis={"checks": CHECKS})
    return cluster.run(4)


def evaluated(cluster: Cluster, *evaluations: PastEvaluation, failed: bool = False) -> None:
    """The operator has made these evaluations; the last one is the evidence."""
    watch = cluster.requests.analysis
    assert watch is not None
    last = evaluations[-1]
    assert last.value is not None
    found = Reading(last.value, last.samples)
    finding = judge("errors", Bounds(0.01), found, None, min_samples=100, confidence=0.99)
    assert finding.verdict == last.verdict
    cluster.evidence = Evidence(
        watch.revision, watch.since, last.at, (finding,), finding if failed else None,
        histories=(evaluations,), checks=checks_of(cluster, watch.revision),
    )  # fmt: skip
    cluster.settle()


def values(cluster: Cluster) -> list[float | None]:
    assert cluster.status.analysis is not None
    return [e.value for e in cluster.status.analysis.checks[0].evaluations]


def passes(cluster: Cluster, *found: float) -> tuple[PastEvaluation, ...]:
    start = cluster.now
    return tuple(
        PastEvaluation(start + index / 10, "Pass", value, 0.01, 0.002, 500.0)
        for index, value in enumerate(found)
    )


def test_evaluation_with_the_same_verdict_writes_nothing() -> None:
    cluster = canary()
    first = passes(cluster, 0.001)
    evaluated(cluster, *first)
    assert values(cluster) == [0.001]
    before, status = cluster.writes, cluster.status
    evaluated(cluster, *first, *passes(cluster, 0.002))
    assert (cluster.writes, cluster.status) == (before, status)


def missing(cluster: Cluster, reason: str, text: str, faulty: FaultyObject | None = None) -> None:
    """An evaluation without a value."""
    watch = cluster.requests.analysis
    assert watch is not None
    cluster.now += 5  # A status that differs only in a message is written a few seconds later.
    finding = Finding("errors", Verdict.INSUFFICIENT, reason, text, faulty=faulty)
    cluster.evidence = Evidence(watch.revision, watch.since, cluster.now, (finding,), None)
    cluster.settle()


@pytest.mark.rule("R29")
def test_next_fault_of_a_secret_is_written_although_the_reason_is_the_same() -> None:
    cluster = canary()
    for text, key, problem in (
        ("Secret a: not found", "", ObjectProblem.NOT_FOUND),
        ("Secret a has no key client-id", "client-id", ObjectProblem.MISSING_KEY),
        ("Secret a has no key client-secret", "client-secret", ObjectProblem.MISSING_KEY),
    ):
        faulty = FaultyObject("Secret", "a", key, problem)
        missing(cluster, CheckReason.INVALID_CREDENTIALS, text, faulty)
        assert cluster.status.analysis is not None
        assert cluster.status.analysis.checks[0].message == text
        (ready,) = (c for c in cluster.status.conditions if c.type == "AnalysisReady")
        assert ready.message == f"spec.rollout.analysis.checks[errors]: {text}"
    before = cluster.writes
    missing(cluster, CheckReason.INVALID_CREDENTIALS, text, faulty)
    assert cluster.writes == before


def test_words_of_a_server_that_change_write_nothing() -> None:
    cluster = canary()
    for number in range(3):  # The pause of the step ends meanwhile.
        missing(cluster, CheckReason.ACCESS_DENIED, f"status 403: request {number}")
    before = cluster.writes
    missing(cluster, CheckReason.ACCESS_DENIED, "status 403: request 4")
    assert cluster.writes == before


def test_next_transition_brings_all_evaluations_since_the_last() -> None:
    cluster = canary()
    first = passes(cluster, 0.001)
    evaluated(cluster, *first)
    evaluated(cluster, *first, *passes(cluster, 0.002, 0.003))
    cluster.run(12)
    assert cluster.serving() == {"1": 3, "2": 3}
    assert values(cluster) == [0.001, 0.002, 0.003]


def test_evaluations_from_before_a_restart_precede_those_after_it() -> None:
    cluster = canary()
    evaluated(cluster, *passes(cluster, 0.001, 0.002))
    assert values(cluster) == [0.001, 0.002]
    cluster.run(2)
    (after,) = passes(cluster, 0.5)
    evaluated(cluster, replace(after, verdict="Insufficient", samples=12.0))
    assert values(cluster) == [0.001, 0.002, 0.5]


def test_failed_version_keeps_its_evaluations_as_evidence() -> None:
    cluster = canary()
    first = passes(cluster, 0.001)
    evaluated(cluster, *first)
    (last,) = passes(cluster, 0.5)
    evaluated(cluster, *first, replace(last, verdict="Fail", value=0.5), failed=True)
    cluster.evidence = None
    cluster.run(60)
    assert cluster.status.phase == "RolledBack"
    assert values(cluster) == [0.001, 0.5]
    cluster.spec = rollout("3", analysis={"checks": CHECKS})
    cluster.run(4)
    assert cluster.status.analysis is None


def test_number_of_evaluations_is_bounded_for_a_check_and_for_a_model() -> None:
    assert [evaluations_per_check(n) for n in (1, 4, 5, 16)] == [PER_CHECK, PER_CHECK, 16, 5]
    assert all(n * evaluations_per_check(n) <= IN_ALL for n in range(1, 17))
    found: tuple[PastEvaluation, ...] = ()
    for index in range(50):
        found = appended(found, PastEvaluation(float(index), "Pass"), 20)
    assert [e.at for e in found] == [float(n) for n in range(30, 50)]


def test_memory_of_the_evaluations_of_a_model_is_what_is_documented() -> None:
    tracemalloc.start()
    before, _ = tracemalloc.get_traced_memory()
    found = [
        tuple(
            PastEvaluation(float(at), "Pass", 0.1 * at, 0.2 + at, 0.3 + at, 400.0 + at)
            for at in range(evaluations_per_check(4))
        )
        for _ in range(4 * 100)
    ]
    after, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(found) == 400
    assert 10_000 < (after - before) / 100 < 20_000
