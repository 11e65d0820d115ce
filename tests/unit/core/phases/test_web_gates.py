"""R27: a web gate passes by the answer of a system, once that answer is on the record."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from canarium.api.status import Status
from canarium.core.facts.gate_answers import AnswerState
from canarium.core.facts.object_ref import ObjectRef
from core.api_answers import denied
from core.cluster import Cluster, spec
from core.phases.gated_rollouts import decide, gate, gated, reasons, rolling, state
from sweep import every

rule = pytest.mark.rule
HOST = "https://risk.example"
RISK: dict[str, Any] = {
    "name": "risk",
    "before": "Weight",
    "weight": 50,
    "web": {"url": f"{HOST}/decide"},
}


def answer(cluster: Cluster, answered: AnswerState, text: str = "", reason: str = "") -> Cluster:
    """Lets the system of the gate risk answer from now on."""
    cluster.verdicts["risk"] = (answered, HOST, text, reason)
    return cluster.settle()


def condition(cluster: Cluster, kind: str) -> tuple[str, str, str]:
    found = next(c for c in cluster.status.conditions if c.type == kind)
    return found.status, found.reason, found.message


@rule("R27")
def test_web_gate_holds_the_weight_until_its_system_answers() -> None:
    cluster = rolling(RISK).run(3600, tick=5)
    assert cluster.status.weight == 25
    assert cluster.status.waiting_for
    assert cluster.status.waiting_for.reason == "WaitingForGate"
    assert "waits for gate risk before weight 50. Its system has not answered yet" in (
        cluster.status.message
    )
    answer(cluster, AnswerState.PASSED, "score 0.93")
    risk = state(cluster, "risk")
    assert (risk.kind, risk.state, risk.by, risk.message) == ("Web", "Passed", HOST, "score 0.93")
    cluster.run(120)
    assert cluster.serving() == {"2": 3}
    passed = [e.message for e in cluster.events if e.reason == "GatePassed"]
    named = f"version 2 ({cluster.revision('2')})"
    assert passed == [f"Gate risk of {named} was approved by {HOST}: score 0.93"]
    assert reasons(cluster).count("WaitingForGate") == 1


@rule("R27")
def test_request_names_the_version_the_gate_and_stable() -> None:
    cluster = rolling(RISK)
    (request,) = cluster.requests.gates
    assert (request.revision, request.gate) == (cluster.revision("2"), "risk")
    assert dict(request.facts) == {
        "revision": cluster.revision("2"),
        "version": "2",
        "uri": None,
        "digest": None,
        "gate": "risk",
        "before": "Weight",
        "weight": 50,
        "currentWeight": 25,
        "stable": {"revision": cluster.revision("1"), "version": "1"},
    }


@rule("R27")
def test_request_during_the_bake_names_the_previous_version_as_stable() -> None:
    cluster = rolling({"name": "risk", "before": "Finish", "web": RISK["web"]}, seconds=600)
    (request,) = cluster.requests.gates
    facts = dict(request.facts)
    assert facts["currentWeight"] == 100
    assert facts["stable"] == {"revision": cluster.revision("1"), "version": "1"}
    answer(cluster, AnswerState.PASSED)
    assert cluster.run(30).status.phase == "Ready"


@rule("R8", "R27")
def test_negative_answer_rolls_back_with_who_and_why() -> None:
    cluster = answer(rolling(RISK), AnswerState.REJECTED, "$.ok is false, expected true")
    assert cluster.serving() == {"1": 3}
    failure = cluster.status.failure
    assert failure
    assert failure.reason == "GateRejected"
    assert failure.message == f"gate risk was rejected by {HOST}: $.ok is false, expected true"
    assert not cluster.run(60).requests.gates


@rule("R17", "R27")
def test_missing_answer_does_not_count_and_is_reported_with_its_field() -> None:
    cluster = answer(rolling(RISK), AnswerState.MISSING, f"{HOST}: status 500", "QueryFailed")
    cluster.run(3600, tick=5)
    assert cluster.status.weight == 25
    assert cluster.status.waiting_for
    assert cluster.status.waiting_for.reason == "GateUnavailable"
    assert f"asked again: {HOST}: status 500" in cluster.status.message
    assert condition(cluster, "GatesReady") == (
        "False", "QueryFailed", f"spec.rollout.gates[risk].web: {HOST}: status 500"
    )  # fmt: skip
    assert state(cluster, "risk").message == f"{HOST}: status 500"
    assert reasons(cluster).count("QueryFailed") == 1
    answer(cluster, AnswerState.PASSED)
    assert condition(cluster, "GatesReady")[0] == "True"
    assert cluster.run(120).serving() == {"2": 3}


@rule("R27")
def test_pending_answers_cause_no_writes() -> None:
    cluster = rolling(RISK)
    before = cluster.status.essence()
    answer(cluster, AnswerState.PENDING).run(60)
    assert state(cluster, "risk").message == f"{HOST} answered that its decision is pending"
    assert cluster.status.essence() != before, "it is published at once"
    assert f"{HOST} answered that its decision is pending" in cluster.status.message
    writes = cluster.writes
    assert cluster.run(3600, tick=10).writes == writes


@rule("R27")
@pytest.mark.parametrize("answered", [AnswerState.PENDING, AnswerState.MISSING])
def test_timeout_applies_while_there_is_no_result(answered: AnswerState) -> None:
    timed = {**RISK, "timeout": "1m", "onError": "RollBack"}
    cluster = answer(rolling(timed, seconds=20), answered, "no answer", "Unreachable")
    assert "It fails if no result arrives by" in cluster.status.message
    cluster.run(120)
    assert cluster.serving() == {"1": 3}
    assert cluster.status.failure
    assert cluster.status.failure.message == "gate risk got no result within 1m"


@rule("R27")
def test_system_is_still_asked_after_a_timeout_that_holds() -> None:
    cluster = rolling({**RISK, "timeout": "1m"}, seconds=300)
    assert cluster.status.waiting_for
    assert cluster.status.waiting_for.reason == "GateTimedOut"
    assert cluster.requests.gates
    answer(cluster, AnswerState.PASSED)
    assert cluster.run(120).serving() == {"2": 3}


@rule("R16", "R27")
@pytest.mark.parametrize("command", ["approve", "reject"])
def test_person_cannot_decide_about_a_web_gate(command: str) -> None:
    cluster = rolling(RISK)
    echo = decide(cluster, command, "risk")
    assert (echo.result, echo.message) == (
        "Ignored", "no person decides about gate risk, whose kind is Web"
    )  # fmt: skip
    assert cluster.run(600).status.weight == 25


@rule("R16", "R27")
def test_promote_does_not_pass_a_web_gate() -> None:
    cluster = rolling(RISK)
    cluster.annotations["promote"] = f"{cluster.revision('2')}/now"
    cluster.run(60)
    assert cluster.status.weight == 25
    message = "gate risk holds the rollout until it has passed"
    assert [command.message for command in cluster.status.commands] == [message]


@rule("R12", "R27")
@pytest.mark.parametrize("edit", [(), (gate("risk", "Weight", weight=50),)], ids=["gone", "kind"])
def test_removed_web_gate_holds_until_the_spec_has_it_again(edit: tuple[Any, ...]) -> None:
    cluster = rolling(RISK)
    cluster.spec = gated("2", *edit)
    answer(cluster, AnswerState.PASSED).run(600)
    assert cluster.status.weight == 25
    assert not cluster.requests.gates
    assert "risk (no longer in spec.rollout.gates)" in cluster.status.message
    assert "add it to the spec again, with the kind Web" in cluster.status.message
    decide(cluster, "approve", "risk")
    assert cluster.run(60).status.weight == 25
    cluster.spec = gated("2", RISK)
    assert cluster.run(120).serving() == {"2": 3}


@rule("R27")
def test_answer_of_an_earlier_url_does_not_count() -> None:
    cluster = rolling(RISK)
    asked = cluster.requests
    cluster.spec = gated("2", {**RISK, "web": {"url": f"{HOST}/other"}})
    cluster.settle()
    cluster.requests = asked
    cluster.verdicts["risk"] = (AnswerState.PASSED, HOST, "", "")
    cluster.reconcile()
    assert state(cluster, "risk").state == "Waiting"


@rule("R18", "R27")
def test_result_counts_only_from_the_record() -> None:
    cluster = rolling(RISK)
    cluster.rejection = denied(ObjectRef("ControllerRevision", f"m-{cluster.revision('2')}"))
    answer(cluster, AnswerState.PASSED).run(60)
    assert cluster.status.weight == 25
    assert state(cluster, "risk").state == "Waiting"
    cluster.rejection = None
    assert cluster.run(8).status.weight == 50


@rule("R18", "R27")
def test_recorded_answer_is_not_asked_for_again_after_a_lost_status() -> None:
    cluster = rolling(RISK, gate("board", "Promotion"))
    answer(cluster, AnswerState.PASSED).run(60)
    cluster.verdicts.clear()
    cluster.status = Status()
    cluster.run(60)
    assert not cluster.requests.gates
    assert (cluster.status.weight, state(cluster, "risk").state) == (50, "Passed")


@rule("R18", "R27")
def test_system_is_asked_right_after_it_is_recorded_that_its_gate_waits() -> None:
    cluster = rolling(RISK)
    cluster.records = [replace(record, gates=None) for record in cluster.records]
    decision = cluster.reconcile()
    assert (decision.requests.gates, decision.requeue_after) == ((), 0.0)
    assert cluster.reconcile().requests.gates
    cluster.verdicts["risk"] = (AnswerState.PASSED, HOST, "", "")
    assert cluster.reconcile().requeue_after == 0.0


@rule("R16", "R27")
def test_nothing_is_asked_while_the_rollout_is_paused() -> None:
    cluster = rolling(RISK)
    cluster.annotations["pause"] = f"{cluster.revision('2')}/1"
    assert not cluster.run(10).requests.gates
    cluster.annotations["resume"] = f"{cluster.revision('2')}/1"
    assert cluster.run(10).requests.gates


def answered(die_at: int | None = None) -> Cluster:
    """A rollout through a web gate, the operator dying before one write."""
    cluster = Cluster(spec("1")).run(10)
    cluster.spec = gated("2", RISK)
    cluster.run(30)
    cluster.die_at = die_at
    cluster.verdicts["risk"] = (AnswerState.PASSED, HOST, "", "")
    return cluster.run(60)


def _writes() -> range:
    cluster = Cluster(spec("1")).run(10)
    cluster.spec = gated("2", RISK)
    return range(cluster.run(30).writes, answered().writes)


@rule("R18", "R27")
@pytest.mark.parametrize("write", every(_writes()))
def test_web_gate_has_the_same_result_when_any_write_is_lost(write: int) -> None:
    cluster = answered(write)
    assert cluster.die_at is None, "the story is long enough to die at this write"
    cluster.run(60)
    assert cluster.serving() == {"2": 3}
    assert state(cluster, "risk").state == "Passed"
