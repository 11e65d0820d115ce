"""R27: a person orders the Job of a gate that waits to run again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from canarium.api.status import CommandEcho, Status
from canarium.core.facts.gate_jobs import LAST_RERUN, JobOutcome
from canarium.core.facts.gates import OpenedGate, gates_to_json
from canarium.core.facts.object_ref import ObjectRef
from core.api_answers import forbidden
from core.cluster import Cluster
from core.phases.gate_job_scenarios import EVAL, ends, name, recorded, sharing
from core.phases.gated_rollouts import decide, gated, rolling
from sweep import every

rule = pytest.mark.rule


def rerun(cluster: Cluster, token: str = "again", gate: str = "eval") -> CommandEcho:
    """Orders another run of the gate of version 2, and returns the operator's answer."""
    return decide(cluster, "rerun", f"{gate}:{token}")


def attempts(cluster: Cluster) -> list[str]:
    return [job.name for job in cluster.started_jobs]


@rule("R16", "R27")
def test_gate_whose_job_was_lost_passes_by_another_run() -> None:
    cluster = rolling(EVAL)
    for _ in range(3):
        ends(cluster, JobOutcome.LOST, text="its pod was deleted")
    cluster.run(600, tick=5)
    assert f"annotate canarium.dev/rerun={cluster.revision('2')}/eval:<token>" in (
        cluster.status.message
    )
    echo = rerun(cluster)
    assert (echo.result, echo.message) == ("Accepted", "the Job of the gate is run again")
    cluster.run(30)
    assert attempts(cluster) == [name(cluster, n) for n in (1, 2, 3, 4)]
    assert "attempt" not in cluster.status.message, "it is the first one of this run"
    assert cluster.status.weight == 25, "an order passes nothing"
    ends(cluster, JobOutcome.PASSED, 0)
    assert set(cluster.run(120).serving()) == {"2"}


@rule("R27")
def test_another_run_may_be_lost_three_times_and_is_never_repeated_by_itself() -> None:
    cluster = rolling(EVAL)
    rerun(cluster)
    cluster.run(30)
    for number in (2, 3, 4):
        assert recorded(cluster).attempt == number
        ends(cluster, JobOutcome.LOST, text="its pod was deleted")
        cluster.run(30)
    cluster.run(3600, tick=5)
    assert len(cluster.started_jobs) == 4
    assert cluster.status.waiting_for
    assert cluster.status.waiting_for.reason == "GateUnavailable"


@rule("R8", "R27")
def test_another_run_that_fails_rolls_back() -> None:
    cluster = rolling(EVAL)
    rerun(cluster)
    cluster.run(30)
    ends(cluster, JobOutcome.FAILED, 3, "worse")
    assert set(cluster.run(60).serving()) == {"1"}
    assert cluster.status.failure
    assert f"Job/{name(cluster, 2)} ended with exit code 3" in cluster.status.failure.message


@rule("R27")
def test_job_that_hangs_beyond_its_timeout_is_replaced_and_the_timeout_starts_again() -> None:
    cluster = rolling({**EVAL, "timeout": "60s"}, seconds=300)
    assert cluster.status.waiting_for
    assert cluster.status.waiting_for.reason == "GateTimedOut"
    assert f"canarium.dev/rerun={cluster.revision('2')}/eval:<token>" in cluster.status.message
    rerun(cluster)
    cluster.run(20)
    assert list(cluster.gate_jobs) == [name(cluster, 2)], "the one that hung is deleted"
    assert cluster.status.waiting_for.reason == "WaitingForGate"
    cluster.run(120)
    assert cluster.status.waiting_for.reason == "GateTimedOut"
    assert len(cluster.started_jobs) == 2


@rule("R27")
def test_another_run_has_the_job_as_it_is_defined_now() -> None:
    cluster = rolling(EVAL)
    cluster.spec = gated("2", {**EVAL, "job": {"image": "eval:2"}})
    cluster.run(30)
    assert "eval:1" in (recorded(cluster).job or "")
    rerun(cluster)
    cluster.run(30)
    assert [job.job for job in cluster.started_jobs][-1] == '{"image":"eval:2"}'


@rule("R27")
def test_another_run_without_the_model_gate_or_the_gate_has_the_recorded_job() -> None:
    cluster = sharing('{"image":"fair:1"}')
    cluster.model_gates.clear()
    rerun(cluster)
    cluster.run(30)
    cluster.spec = gated("2")
    cluster.run(5)
    rerun(cluster, "later")
    cluster.run(30)
    assert len(cluster.started_jobs) == 3
    assert len({job.job for job in cluster.started_jobs}) == 1


@rule("R16", "R27")
def test_each_token_acts_once() -> None:
    cluster = rolling(EVAL)
    rerun(cluster)
    cluster.run(600, tick=5)
    assert len(cluster.started_jobs) == 2
    cluster.status = Status()
    cluster.run(600, tick=5)
    assert len(cluster.started_jobs) == 2, "the record has the token"
    assert rerun(cluster, "other").result == "Accepted"
    cluster.run(60)
    assert len(cluster.started_jobs) == 3


@rule("R18", "R27")
@pytest.mark.parametrize("start", every(range(3)))
def test_job_runs_once_more_at_whichever_write_the_operator_dies(start: int) -> None:
    for die_at in range(start, 30, 3):
        cluster = rolling(EVAL)
        cluster.die_at = cluster.writes + die_at
        rerun(cluster)
        cluster.run(60)
        cluster.status = Status()
        cluster.run(60)
        assert attempts(cluster) == [name(cluster), name(cluster, 2)], die_at
        ends(cluster, JobOutcome.PASSED, 0)
        assert set(cluster.run(120).serving()) == {"2"}, die_at
        if cluster.die_at is not None:
            break
    else:
        raise AssertionError("no run without a death")


@rule("R16", "R27")
@pytest.mark.parametrize(
    ("gate", "text"),
    [
        ("other", "the revision has no gate other. Its gates: eval, ok, late"),
        ("ok", "gate ok has no Job: its kind is Approval"),
        ("late", "gate late is not waiting yet"),
    ],
)
def test_gate_without_a_job_that_waits_is_not_run_again(gate: str, text: str) -> None:
    late = {**EVAL, "name": "late", "before": "Finish", "weight": None}
    cluster = rolling(EVAL, {"name": "ok", "before": "Promotion", "approval": {}}, late)
    echo = rerun(cluster, gate=gate)
    assert (echo.result, echo.message) == ("Ignored", text)
    assert len(cluster.run(30).started_jobs) == 1


@rule("R16", "R27")
def test_gate_whose_model_gate_does_not_exist_has_no_job_to_run_again() -> None:
    cluster = sharing(None)
    assert rerun(cluster).message == "gate eval has run no Job yet"


@rule("R9", "R27")
def test_gate_with_a_result_is_not_run_again() -> None:
    passed = ends(rolling(EVAL), JobOutcome.PASSED, 0)
    assert rerun(passed).message == "gate eval has passed already"
    failed = ends(rolling(EVAL), JobOutcome.FAILED, 1)
    echo = rerun(failed)
    assert echo.result == "Ignored"
    assert echo.message == "the revision has failed. Use retry, which judges all gates again"
    assert set(failed.run(120).serving()) == {"1"}
    assert len(failed.started_jobs) == 1


@rule("R27")
def test_number_of_runs_is_limited_by_the_length_of_a_name() -> None:
    cluster = rolling(EVAL)
    one = replace(recorded(cluster), attempt=LAST_RERUN + 1, first_attempt=LAST_RERUN + 1, uid=None)
    _store(cluster, one)
    echo = rerun(cluster)
    assert echo.message == f"gate eval has run {LAST_RERUN + 1} Jobs. Use retry instead"


@rule("R21", "R27")
def test_order_waits_while_the_record_cannot_be_written() -> None:
    cluster = rolling(EVAL)
    record = ObjectRef("ControllerRevision", f"m-{cluster.revision('2')}")
    cluster.rejection = forbidden(record)
    cluster.annotations["rerun"] = f"{cluster.revision('2')}/eval:again"
    cluster.run(30)
    assert len(cluster.started_jobs) == 1
    assert not [c for c in cluster.status.commands if c.command == "rerun"]
    cluster.rejection = None
    cluster.run(30)
    assert len(cluster.started_jobs) == 2


@rule("R16", "R27")
def test_abort_precedes_another_run() -> None:
    cluster = rolling(EVAL)
    revision = cluster.revision("2")
    cluster.annotations.update({"abort": f"{revision}/1", "rerun": f"{revision}/eval:1"})
    cluster.run(60)
    assert set(cluster.serving()) == {"1"}
    assert len(cluster.started_jobs) == 1


def _store(cluster: Cluster, one: OpenedGate) -> None:
    """Replaces the gate on the record of version 2."""
    revision = cluster.revision("2")
    cluster.records = [
        replace(r, gates=gates_to_json([one])) if r.revision == revision else r
        for r in cluster.records
    ]
