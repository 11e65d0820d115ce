"""R16, R27: what people decide about gates, and what other commands do at them."""

from __future__ import annotations

import pytest

from canarium.core.facts.object_ref import ObjectRef
from core.api_answers import denied
from core.phases.gated_rollouts import RISK, decide, gate, rolling, state

rule = pytest.mark.rule


@rule("R8", "R9", "R27")
def test_rejection_rolls_back_with_who_and_why_as_evidence() -> None:
    cluster = rolling(RISK)
    assert cluster.serving() == {"1": 3, "2": 1}
    decide(cluster, "reject", "risk", by="alice", comment="bias in age groups")
    assert cluster.serving() == {"1": 3}
    failure = cluster.status.failure
    assert failure
    assert failure.reason == "GateRejected"
    assert failure.message == "gate risk was rejected by alice: bias in age groups"
    cluster.run(60)
    assert cluster.status.phase == "RolledBack"
    risk = state(cluster, "risk")
    assert (risk.state, risk.by, risk.message) == ("Rejected", "alice", "bias in age groups")


@rule("R9", "R27")
def test_retry_is_judged_again() -> None:
    cluster = rolling(RISK)
    decide(cluster, "reject", "risk")
    cluster.run(60)
    cluster.annotations["retry"] = f"{cluster.revision('2')}/again"
    cluster.run(60)
    assert cluster.revision("2").endswith("-2")
    assert cluster.status.weight == 25
    assert state(cluster, "risk").state == "Waiting"


@rule("R16", "R27")
@pytest.mark.parametrize("command", ["promote", "promote-full"])
def test_promote_does_not_pass_a_gate(command: str) -> None:
    cluster = rolling(RISK)
    cluster.annotations[command] = f"{cluster.revision('2')}/now"
    cluster.run(600)
    assert cluster.status.weight == 25
    if command == "promote":
        assert cluster.status.commands[0].message == (
            "gate risk holds the rollout until it is approved"
        )


@rule("R27")
def test_promote_full_still_waits_for_every_gate_that_it_would_pass() -> None:
    cluster = rolling(gate("half", "Weight", weight=50), gate("board", "Promotion"), seconds=8)
    cluster.annotations["promote-full"] = f"{cluster.revision('2')}/now"
    cluster.run(60)
    assert cluster.status.weight == 25
    assert {one.state for one in cluster.status.gates or ()} == {"Waiting"}
    decide(cluster, "approve", "half")
    cluster.run(60)
    assert cluster.status.weight == 25
    decide(cluster, "approve", "board")
    cluster.run(20)
    assert cluster.serving() == {"2": 3}


@rule("R8", "R27")
@pytest.mark.parametrize("end", ["abort", "crash"])
def test_rollback_and_abort_do_not_wait_for_a_gate(end: str) -> None:
    cluster = rolling(RISK)
    if end == "crash":
        cluster.crash("2").settle()
    else:
        cluster.annotations["abort"] = f"{cluster.revision('2')}/now"
        cluster.settle()
    assert cluster.serving() == {"1": 3}
    cluster.run(60)
    answer = decide(cluster, "approve", "risk")
    assert (answer.result, answer.message) == ("Ignored", "the revision has failed")


@rule("R15", "R27")
def test_rejection_during_the_bake_undoes_the_promotion() -> None:
    cluster = rolling(gate("end", "Finish"), seconds=600)
    decide(cluster, "reject", "end", comment="worse sales")
    cluster.run(60)
    assert cluster.serving() == {"1": 3}
    assert cluster.status.history[0].outcome == "Undone"
    assert cluster.status.failure
    assert cluster.status.failure.reason == "GateRejected"


@rule("R16", "R27")
def test_decision_without_any_gate_is_ignored() -> None:
    cluster = rolling(seconds=8)
    answer = decide(cluster, "approve", "risk")
    assert (answer.result, answer.message) == (
        "Ignored",
        "the revision has no gate risk. It has no gates",
    )


@rule("R16", "R27")
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("other", "the revision has no gate other. Its gates: risk, board"),
        ("board", "gate board is not waiting yet"),
    ],
)
def test_decision_about_a_gate_that_does_not_wait_is_ignored(name: str, message: str) -> None:
    cluster = rolling(RISK, gate("board", "Promotion"))
    answer = decide(cluster, "approve", name)
    assert (answer.result, answer.message) == ("Ignored", message)
    cluster.run(600)
    assert cluster.status.weight == 25


@rule("R16", "R27")
def test_decision_about_another_revision_is_ignored() -> None:
    cluster = rolling(RISK)
    cluster.annotations["approve"] = f"{cluster.revision('1')}/risk"
    cluster.run(60)
    assert cluster.status.commands[0].result == "Ignored"
    assert cluster.status.weight == 25


@rule("R27")
def test_decision_that_nothing_verifies_never_counts() -> None:
    cluster = rolling(RISK)
    cluster.approvals_enforced = False
    answer = decide(cluster, "approve", "risk")
    assert answer.result == "Ignored"
    assert "nothing verifies who may approve. Set approvals.enabled" in answer.message
    assert "No decision counts" in cluster.status.message
    # The policy admits no more than the next annotation: this one was admitted without it.
    cluster.approvals_enforced = True
    cluster.run(600)
    assert cluster.status.weight == 25
    cluster.annotations["approve"] += ":again"
    cluster.run(60)
    assert state(cluster, "risk").state == "Passed"


@rule("R27")
def test_only_the_first_decision_counts() -> None:
    cluster = rolling(RISK, gate("board", "Promotion"))
    decide(cluster, "approve", "risk")
    cluster.annotations["reject"] = f"{cluster.revision('2')}/risk:late"
    cluster.run(30)
    assert cluster.status.commands[0].message == "gate risk has passed already"
    assert cluster.status.weight == 50


@rule("R21", "R27")
def test_decision_waits_while_its_result_cannot_be_recorded() -> None:
    cluster = rolling(RISK)
    record = ObjectRef("ControllerRevision", f"m-{cluster.revision('2')}")
    cluster.rejection = denied(record)
    cluster.annotations["approve"] = f"{cluster.revision('2')}/risk"
    cluster.run(30)
    assert cluster.status.commands == ()
    assert cluster.status.weight == 25
    cluster.rejection = None
    cluster.run(8)
    assert cluster.status.weight == 50
