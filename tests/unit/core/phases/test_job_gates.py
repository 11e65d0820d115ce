"""R27: a job gate passes by a Job that succeeds, once its result is on the record."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from canarium.api.states import JobState
from canarium.api.status import Status
from canarium.core.decision.plan import CreateGateJob
from canarium.core.facts.gate_jobs import (
    MOST_ATTEMPTS,
    REACHABLE_AFTER,
    GateJob,
    JobOutcome,
    job_name,
)
from canarium.core.facts.gates import gates_from_json
from canarium.core.facts.object_ref import ObjectRef
from core.api_answers import QUOTA, over_quota
from core.cluster import Cluster, gateway_spec, spec
from core.phases.gate_job_scenarios import EVAL, ends, name, recorded
from core.phases.gated_rollouts import decide, gated, rolling, state
from core.phases.test_web_gates import condition
from sweep import every

rule = pytest.mark.rule


@rule("R27")
@pytest.mark.parametrize("make", [spec, gateway_spec], ids=["service", "gateway"])
def test_job_gate_holds_the_weight_until_its_job_succeeds(make: Any) -> None:
    cluster = rolling(EVAL, make=make).run(3600, tick=5)
    assert cluster.status.weight == 25
    assert cluster.status.waiting_for
    assert cluster.status.waiting_for.reason == "WaitingForGate"
    job = f"Job/{name(cluster)}"
    assert (
        f"waits for gate eval before weight 50. {job} has not finished yet. Once the gate has "
        "passed, it moves to weight" in cluster.status.message
    )
    ends(cluster, JobOutcome.PASSED, 0, "fine", '{"accuracy":0.93}')
    one = state(cluster, "eval")
    assert (one.kind, one.state, one.by, one.message) == ("Job", "Passed", job, "fine")
    assert one.results == '{"accuracy":0.93}'
    cluster.run(120)
    assert set(cluster.serving()) == {"2"}
    passed = [e.message for e in cluster.events if e.reason == "GatePassed"]
    named = f"version 2 ({cluster.revision('2')})"
    assert passed == [f"Gate eval of {named} passed by {job}: fine"]
    assert len(cluster.started_jobs) == 1


@rule("R27")
def test_job_starts_once_nodes_have_had_time_to_forward_to_its_services() -> None:
    gate = {**EVAL, "before": "Traffic", "weight": None}
    cluster = Cluster(spec("1")).run(10)
    cluster.spec = gated("2", gate)
    while not cluster.gate_services:
        cluster.run(0.1, tick=0.1)
    assert cluster.gate_services.keys() == {cluster.revision("1"), cluster.revision("2")}
    assert not cluster.started_jobs
    cluster.run(REACHABLE_AFTER - 0.1, tick=0.1)
    assert not cluster.started_jobs
    cluster.run(0.5, tick=0.1)
    assert len(cluster.started_jobs) == 1


@rule("R27")
def test_job_has_the_facts_of_version_and_stable() -> None:
    (action,) = rolling(EVAL).started_jobs
    cluster = rolling(EVAL)
    assert action == CreateGateJob(
        name(cluster),
        cluster.revision("2"),
        "eval",
        '{"args":["--min","0.9"],"image":"eval:1"}',
        (("VERSION", "2"),),
        cluster.revision("1"),
        None,
        recorded(cluster).nonce,
    )
    assert action.nonce


@rule("R27")
def test_job_during_the_bake_is_compared_with_the_previous_version() -> None:
    cluster = rolling({**EVAL, "before": "Finish", "weight": None}, seconds=600)
    (action,) = cluster.started_jobs
    assert (action.revision, action.other) == (cluster.revision("2"), cluster.revision("1"))
    assert set(cluster.gate_services) == {cluster.revision("1"), cluster.revision("2")}
    ends(cluster, JobOutcome.PASSED, 0)
    assert cluster.run(30).status.phase == "Ready"
    assert not cluster.gate_jobs
    assert not cluster.gate_services


@rule("R3", "R27")
def test_job_before_the_first_version_serves_has_no_stable() -> None:
    cluster = Cluster(gated("1", {**EVAL, "before": "Traffic", "weight": None})).run(30)
    (action,) = cluster.started_jobs
    assert action.other is None
    assert set(cluster.gate_services) == {cluster.revision("1")}
    assert not cluster.serving()
    (one,) = cluster.gate_jobs.values()
    cluster.gate_jobs[one.name] = replace(one, state=JobState.SUCCEEDED)
    cluster.job_results[one.name] = (JobOutcome.PASSED, 0, "", None)
    assert set(cluster.settle().run(30).serving()) == {"1"}


@rule("R8", "R27")
def test_job_that_fails_rolls_back_with_exit_code_and_message() -> None:
    cluster = ends(rolling(EVAL), JobOutcome.FAILED, 3, "accuracy 0.71 is below 0.9")
    assert set(cluster.serving()) == {"1"}
    failure = cluster.status.failure
    assert failure
    job = f"Job/{name(cluster)}"
    assert (failure.reason, failure.observed, failure.threshold) == (
        "GateFailed", "exit code 3", "exit code 0"
    )  # fmt: skip
    assert failure.message == (
        f"gate eval failed: {job} ended with exit code 3: accuracy 0.71 is below 0.9"
    )
    assert recorded(cluster).exit_code == 3
    cluster.run(3600, tick=5)
    assert len(cluster.started_jobs) == 1
    assert name(cluster) in cluster.gate_jobs, "its logs can be read"
    assert not cluster.gate_services
    assert not cluster.requests.jobs


@rule("R27")
def test_next_version_removes_the_job_of_the_failed_one() -> None:
    cluster = ends(rolling(EVAL), JobOutcome.FAILED, 3)
    failed = name(cluster)
    cluster.run(30)
    cluster.spec = gated("3", EVAL)
    cluster.run(60)
    assert failed not in cluster.gate_jobs
    assert name(cluster, version="3") in cluster.gate_jobs


@rule("R25", "R27")
@pytest.mark.parametrize("how", ["deleted", "stopped", "pod", "terminating", "replaced"])
def test_lost_job_is_run_again(how: str) -> None:
    cluster = rolling(EVAL)
    first = cluster.gate_jobs[name(cluster)]
    if how == "deleted":
        del cluster.gate_jobs[first.name]
        cluster.settle()
    elif how == "stopped":
        cluster.gate_jobs[first.name] = replace(first, state=JobState.LOST)
        cluster.settle()
    elif how == "terminating":
        cluster.gate_jobs[first.name] = replace(first, terminating=True)
        cluster.settle()
    elif how == "replaced":
        cluster.gate_jobs[first.name] = replace(first, uid="other")
        cluster.settle()
    else:
        ends(cluster, JobOutcome.LOST, text="its pod was deleted")
    assert [job.name for job in cluster.started_jobs] == [name(cluster), name(cluster, 2)]
    assert recorded(cluster).attempt == 2
    assert first.name not in cluster.gate_jobs or how == "terminating"
    assert "(attempt 2 of 3)" in cluster.run(10).status.message
    assert cluster.status.weight == 25
    ends(cluster, JobOutcome.PASSED, 0)
    assert set(cluster.run(120).serving()) == {"2"}


@rule("R27", "R29")
def test_gate_waits_without_a_job_after_three_lost_ones() -> None:
    cluster = rolling(EVAL)
    for attempt in (1, 2, 3):
        assert recorded(cluster).attempt == attempt
        ends(cluster, JobOutcome.LOST, text="its pod was deleted")
    cluster.run(3600, tick=5)
    assert len(cluster.started_jobs) == 3
    assert cluster.status.weight == 25
    assert cluster.status.waiting_for
    assert cluster.status.waiting_for.reason == "GateUnavailable"
    text = "its Job was lost 3 times, the last time because its pod was deleted"
    assert text in cluster.status.message
    assert "annotate canarium.dev/abort" in cluster.status.message
    assert condition(cluster, "GatesReady") == (
        "False", "GateJobLost", f"spec.rollout.gates[eval].job: {text}"
    )  # fmt: skip


@rule("R27")
def test_timeout_that_rolls_back_stops_the_job() -> None:
    timed = {**EVAL, "timeout": "90s", "onError": "RollBack"}
    cluster = rolling(timed)
    (action,) = cluster.started_jobs
    assert action.deadline == 90
    cluster.run(180)
    assert set(cluster.serving()) == {"1"}
    assert cluster.status.failure
    assert cluster.status.failure.message == "gate eval got no result within 1m30s"
    assert not cluster.gate_jobs


@rule("R27")
def test_late_job_counts_after_a_timeout_that_holds() -> None:
    cluster = rolling({**EVAL, "timeout": "20s"}, seconds=300)
    assert cluster.started_jobs[0].deadline is None
    assert cluster.status.waiting_for
    assert cluster.status.waiting_for.reason == "GateTimedOut"
    ends(cluster, JobOutcome.PASSED, 0)
    assert set(cluster.run(120).serving()) == {"2"}


@rule("R27", "R29")
@pytest.mark.parametrize("kind", ["Job", "Service"])
def test_refused_write_is_a_wait_with_the_words_of_the_api_server(kind: str) -> None:
    start = rolling({**EVAL, "weight": 25}, seconds=0)
    revision = start.revision("2")
    name = {"Job": job_name("m", revision, "eval", 1), "Service": f"m-{revision}-gate"}[kind]
    start.rejection = over_quota(ObjectRef(kind, name))
    cluster = start.run(600, tick=5)
    assert not cluster.started_jobs
    assert (cluster.status.phase, cluster.status.weight) == ("Progressing", 0)
    assert cluster.status.waiting_for
    assert cluster.status.waiting_for.reason == "GateUnavailable"
    assert QUOTA in cluster.status.message
    assert condition(cluster, "GatesReady")[:2] == ("False", "QuotaExceeded")
    assert recorded(cluster).attempt == 1
    cluster.rejection = None
    cluster.settle()
    assert len(cluster.started_jobs) == 1
    ends(cluster, JobOutcome.PASSED, 0)
    assert set(cluster.run(120).serving()) == {"2"}


@rule("R27", "R29")
def test_pod_that_cannot_run_is_reported_with_its_reason() -> None:
    cluster = rolling(EVAL)
    cluster.job_results[name(cluster)] = (
        JobOutcome.UNFINISHED, None, "pod/x: ImagePullBackOff: not found", None
    )  # fmt: skip
    cluster.settle()
    assert "pod/x: ImagePullBackOff: not found" in cluster.status.message
    assert condition(cluster, "GatesReady")[:2] == ("False", "GateJobBlocked")
    assert cluster.status.weight == 25


@rule("R12", "R27")
def test_edit_of_the_job_does_not_change_one_that_waits() -> None:
    cluster = rolling(EVAL)
    cluster.spec = gated("2", {**EVAL, "job": {"image": "always-passes"}})
    cluster.run(60)
    assert len(cluster.started_jobs) == 1
    del cluster.gate_jobs[name(cluster)]
    cluster.settle()
    assert [job.job for job in cluster.started_jobs] == [recorded(cluster).job] * 2
    assert "eval:1" in (recorded(cluster).job or "")


@rule("R12", "R27")
@pytest.mark.parametrize("gates", [(), ({**EVAL, "job": None, "approval": {}},)])
def test_job_gate_that_is_removed_from_the_spec_still_decides(gates: Any) -> None:
    cluster = rolling(EVAL)
    cluster.spec = gated("2", *gates)
    cluster.run(60)
    assert cluster.status.weight == 25
    assert name(cluster) in cluster.gate_jobs
    ends(cluster, JobOutcome.PASSED, 0)
    assert set(cluster.run(120).serving()) == {"2"}


@rule("R16", "R27")
def test_pause_keeps_the_job_and_its_result_counts_later() -> None:
    cluster = rolling(EVAL)
    cluster.spec = {**cluster.spec, "paused": True}
    cluster.run(60)
    assert name(cluster) in cluster.gate_jobs
    ends(cluster, JobOutcome.PASSED, 0)
    cluster.run(600, tick=5)
    assert cluster.status.weight == 25
    cluster.spec = {**cluster.spec, "paused": False}
    assert set(cluster.run(120).serving()) == {"2"}
    assert len(cluster.started_jobs) == 1


@rule("R27")
def test_abort_deletes_the_job_that_runs() -> None:
    cluster = rolling(EVAL)
    cluster.annotations["abort"] = f"{cluster.revision('2')}/1"
    cluster.run(60)
    assert set(cluster.serving()) == {"1"}
    assert not cluster.gate_jobs
    assert not cluster.gate_services


@rule("R16", "R27")
def test_no_person_decides_about_a_job_gate() -> None:
    cluster = rolling(EVAL)
    echo = decide(cluster, "approve", "eval")
    assert echo.result == "Ignored"
    assert echo.message == "no person decides about gate eval, whose kind is Job"


@rule("R9", "R18", "R27")
@pytest.mark.parametrize("outcome", [JobOutcome.PASSED, JobOutcome.FAILED])
@pytest.mark.parametrize("start", every(range(3)))
def test_job_runs_once_at_whichever_write_the_operator_dies(
    outcome: JobOutcome, start: int
) -> None:
    for die_at in range(start, 60, 3):
        cluster = Cluster(spec("1")).run(10)
        cluster.spec = gated("2", EVAL)
        cluster.die_at = cluster.writes + die_at
        cluster.run(90)
        for _ in range(40):
            if cluster.gate_jobs:
                break
            cluster.run(10)
        ends(cluster, outcome, 0 if outcome is JobOutcome.PASSED else 1)
        cluster.status = Status()
        cluster.run(120)
        assert len(cluster.started_jobs) == 1, die_at
        winner = "2" if outcome is JobOutcome.PASSED else "1"
        assert set(cluster.serving()) == {winner}, die_at
        if cluster.die_at is not None:
            break
    else:
        raise AssertionError("no run without a death")


@rule("R27")
def test_steady_gate_causes_no_writes() -> None:
    cluster = rolling(EVAL)
    cluster.run(30)
    writes = cluster.writes
    assert cluster.run(3600, tick=10).writes == writes


@rule("R1", "R27")
def test_damaged_record_of_a_job_waits_again() -> None:
    damaged = (
        '[{"name": "eval", "kind": "Job", "before": "Weight", "weight": 50, "since": "%s", %s}]'
    )
    since = "2026-01-01T00:00:00.000Z"
    for part in ('"attempt": "x"', '"attempt": 1000', '"exit_code": "3"', '"job": {}', '"uid": 1'):
        (one,) = gates_from_json(damaged % (since, part))
        assert one.result is None
        assert one.attempt in (None, MOST_ATTEMPTS)
        assert (one.exit_code, one.job, one.uid) == (None, None, None)


@rule("R2")
def test_name_of_a_job_is_valid_for_the_longest_names() -> None:
    assert len(job_name("m" * 45, "abcdefgh", "g" * 40, MOST_ATTEMPTS)) <= 63
    names = {job_name("m", "abcdefgh", gate, 1) for gate in ("a", "b", "a-b", "ab")}
    assert len(names) == 4


@rule("R24", "R27")
@pytest.mark.parametrize("nonce", [None, "guessed"])
def test_job_that_another_client_created_does_not_count(nonce: str | None) -> None:
    cluster = rolling(EVAL, seconds=0)
    while not cluster.gate_services:
        cluster.run(0.1, tick=0.1)
    job = job_name("m", cluster.revision("2"), "eval", 1)
    forged = GateJob(job, "forged", cluster.revision("2"), JobState.SUCCEEDED, nonce=nonce)
    cluster.gate_jobs[job] = forged
    cluster.job_results[job] = (JobOutcome.PASSED, 0, "fine", None)
    cluster.run(600, tick=5)
    assert cluster.status.phase == "Progressing"
    assert state(cluster, "eval").state == "Waiting"
    assert condition(cluster, "GatesReady")[:2] == ("False", "NameConflict")
    assert cluster.gate_jobs == {job: forged}, "it is left to its creator"
    del cluster.gate_jobs[job], cluster.job_results[job]
    cluster.run(30)
    assert [action.name for action in cluster.started_jobs] == [job]
