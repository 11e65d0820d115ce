"""R27: a gate holds the weight until its result for that very revision is on the record."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from canarium.api.status import Status
from canarium.core.facts.observed import SmokeReport
from canarium.core.facts.traffic_record import TrafficRecord
from core.cluster import Cluster, gateway_spec, spec
from core.phases.gated_rollouts import RISK, decide, gate, gated, reasons, rolling, state
from sweep import every

rule = pytest.mark.rule


@rule("R27")
@pytest.mark.parametrize("make", [spec, gateway_spec], ids=["service", "gateway"])
@pytest.mark.parametrize(
    ("one", "weight"),
    [
        (gate("legal", "Traffic"), 0),
        (gate("legal", "Weight", weight=25), 0),
        (gate("legal", "Weight", weight=50), 25),
        (gate("legal", "Promotion"), 50),
    ],
    ids=["traffic", "first-weight", "second-weight", "promotion"],
)
def test_gate_holds_the_weight_until_it_is_approved(
    make: Any, one: dict[str, Any], weight: int
) -> None:
    cluster = rolling(one, make=make).run(7200, tick=5)
    assert cluster.status.weight == weight
    assert cluster.status.waiting_for or 0
    assert cluster.status.waiting_for.reason == ("WaitingForApproval")
    assert "waits for approval of gate legal before" in cluster.status.message
    assert state(cluster, "legal").state == "Waiting"
    assert decide(cluster, "approve", "legal").result == "Accepted"
    assert state(cluster, "legal").state == "Passed"
    cluster.run(120)
    assert cluster.status.history[0].outcome == "Promoted"
    assert set(cluster.serving()) == {"2"}


@rule("R27")
def test_candidate_has_ready_pods_and_no_endpoints_before_a_gate_for_traffic() -> None:
    cluster = rolling(gate("legal", "Traffic"))
    assert cluster.serving() == {"1": 3}
    assert any(p.ready and p.revision == cluster.revision("2") for p in cluster.pods)


@rule("R4", "R27")
def test_smoke_tests_precede_the_gate_for_traffic() -> None:
    tested = {"smokeTests": [{"path": "/"}]}
    cluster = rolling(gate("legal", "Traffic"), **tested)
    assert cluster.status.waiting_for
    assert cluster.status.waiting_for.reason == "SmokeTests"
    assert state(cluster, "legal").state == "Pending"
    cluster.smoke = SmokeReport(cluster.revision("2"), True, tested=1)
    cluster.settle()
    assert state(cluster, "legal").state == "Waiting"


@rule("R3", "R27")
def test_first_version_is_not_served_before_its_gates_have_passed() -> None:
    gates = (gate("legal", "Traffic"), RISK, gate("board", "Promotion"), gate("end", "Finish"))
    cluster = Cluster(gated("1", *gates)).run(600)
    assert cluster.serving() == {}
    assert cluster.status.phase == "Starting"
    assert [one.name for one in cluster.status.gates or ()] == ["legal", "board"]
    decide(cluster, "approve", "legal", "1")
    assert cluster.serving() == {}
    decide(cluster, "approve", "board", "1")
    cluster.run(10)
    assert cluster.serving() == {"1": 3}
    assert cluster.status.phase == "Ready"


@rule("R3", "R27")
def test_first_version_fails_when_a_gate_rejects_it() -> None:
    cluster = Cluster(gated("1", gate("legal", "Traffic"))).run(60)
    decide(cluster, "reject", "legal", "1", by="alice", comment="no licence")
    assert cluster.status.phase == "Failed"
    assert cluster.status.failure
    assert cluster.status.failure.reason == "GateRejected"
    assert cluster.serving() == {}


@rule("R12", "R27")
@pytest.mark.parametrize(
    "edit",
    [
        {"gates": []},
        {"gates": [gate("risk", "Promotion")]},
        {"gates": [gate("risk", "Finish")]},
        {"gates": [], "steps": [{"weight": 25}, {"weight": 30}]},
        {"gates": [], "steps": []},
        {"gates": [], "strategy": "BlueGreen", "steps": []},
        {"gates": [], "strategy": "Recreate", "steps": []},
    ],
    ids=["removed", "promotion", "finish", "lower-step", "no-steps", "bluegreen", "recreate"],
)
def test_edit_of_the_spec_does_not_pass_a_gate_that_waits(edit: dict[str, Any]) -> None:
    cluster = rolling(RISK)
    cluster.spec = {**cluster.spec, "rollout": {**cluster.spec["rollout"], **edit}}
    cluster.run(600)
    assert cluster.status.weight == 25
    assert state(cluster, "risk").state == "Waiting"
    if not edit["gates"]:
        assert "risk (no longer in spec.rollout.gates)" in cluster.status.message
    decide(cluster, "approve", "risk")
    cluster.run(120)
    assert cluster.serving() == {"2": 3}


@rule("R12", "R27")
def test_gate_that_was_added_during_the_rollout_holds_the_next_weight() -> None:
    cluster = rolling(seconds=8)
    assert cluster.status.weight == 25
    cluster.spec = gated("2", RISK)
    cluster.run(600)
    assert cluster.status.weight == 25


@rule("R18", "R27")
def test_lost_status_passes_no_gate_and_keeps_its_results() -> None:
    cluster = rolling(gate("half", "Weight", weight=50), gate("board", "Promotion"))
    decide(cluster, "approve", "half", by="alice")
    cluster.run(60)
    assert cluster.status.weight == 50
    cluster.annotations.clear()
    cluster.status = Status()
    cluster.run(600)
    assert cluster.status.weight == 50
    assert (state(cluster, "half").state, state(cluster, "half").by) == ("Passed", "alice")
    assert state(cluster, "board").state == "Waiting"


@rule("R18", "R27")
@pytest.mark.parametrize("damaged", [None, "[]", "no JSON", '[{"name": "risk", "result": "Yes"}]'])
def test_lost_result_makes_the_gate_wait_again(damaged: str | None) -> None:
    cluster = rolling(RISK)
    cluster.records = [replace(record, gates=damaged) for record in cluster.records]
    cluster.run(600)
    assert cluster.status.weight == 25
    assert state(cluster, "risk").state == "Waiting"


@rule("R27")
def test_result_of_another_revision_does_not_count() -> None:
    cluster = rolling(RISK)
    decide(cluster, "approve", "risk")
    cluster.spec = gated("3", RISK)
    cluster.run(120)
    assert cluster.status.weight == 25
    assert state(cluster, "risk").state == "Waiting"
    assert cluster.status.candidate
    assert cluster.status.candidate.version == "3"


@rule("R11", "R27")
def test_version_that_was_promoted_before_returns_without_gates() -> None:
    cluster = rolling(RISK)
    decide(cluster, "approve", "risk")
    cluster.run(120)
    assert cluster.serving() == {"2": 3}
    cluster.spec = gated("1", gate("legal", "Traffic"))
    cluster.run(60)
    assert cluster.serving() == {"1": 3}


@rule("R15", "R27")
def test_gate_before_finish_holds_the_end_of_the_bake() -> None:
    cluster = rolling(gate("end", "Finish"), seconds=600)
    assert cluster.status.phase == "Baking"
    assert "is serving and waits for approval of gate end before the end of the bake" in (
        cluster.status.message
    )
    assert cluster.status.previous
    assert cluster.status.previous.ready_replicas == 3
    decide(cluster, "approve", "end")
    cluster.run(30)
    assert cluster.status.phase == "Ready"
    assert len(cluster.deployments) == 1


@rule("R27")
def test_timeout_with_hold_keeps_the_weight_and_still_accepts_a_decision() -> None:
    cluster = rolling({**RISK, "timeout": "1m"}, seconds=300)
    assert cluster.status.weight == 25
    assert cluster.status.waiting_for
    assert cluster.status.waiting_for.reason == "GateTimedOut"
    assert reasons(cluster).count("GateTimedOut") == 1
    assert "No decision arrived by" in cluster.status.message
    decide(cluster, "approve", "risk")
    cluster.run(120)
    assert cluster.serving() == {"2": 3}


@rule("R27")
def test_timeout_with_roll_back_fails_the_version() -> None:
    timed = {**RISK, "timeout": "1m", "onError": "RollBack"}
    cluster = rolling(timed, seconds=40)
    assert "It fails if no decision arrives by" in cluster.status.message
    assert cluster.status.waiting_for
    assert cluster.status.waiting_for.expected_end_time
    cluster.run(120)
    assert cluster.serving() == {"1": 3}
    failure = cluster.status.failure
    assert failure
    assert failure.reason == "GateTimedOut"
    assert failure.message == "gate risk got no decision within 1m"
    assert state(cluster, "risk").state == "TimedOut"


@rule("R18", "R27")
def test_recorded_timeout_fails_the_version_after_the_gate_was_removed() -> None:
    cluster = rolling(RISK)
    expired = [
        replace(record, gates=record.gates and record.gates.replace("}", ', "result": "TimedOut"}'))
        for record in cluster.records
    ]
    cluster.spec, cluster.records = gated("2"), expired
    cluster.settle()
    failure = cluster.status.failure
    assert failure
    assert failure.message == "gate risk got no decision in time"
    answer = decide(cluster, "approve", "risk")
    assert (answer.result, answer.message) == ("Ignored", "gate risk timed out already")


@rule("R16", "R27")
def test_pause_stops_the_timeout_of_a_gate() -> None:
    timed = {**RISK, "timeout": "1m", "onError": "RollBack"}
    cluster = rolling(timed, seconds=40)
    cluster.annotations["pause"] = f"{cluster.revision('2')}/wait"
    cluster.run(600)
    assert cluster.status.weight == 25
    cluster.annotations["resume"] = f"{cluster.revision('2')}/go"
    cluster.run(10)
    assert cluster.status.weight == 25, "it has the rest of its time"
    cluster.run(60)
    assert cluster.status.failure
    assert cluster.status.failure.reason == "GateTimedOut"


@rule("R13", "R27")
def test_broken_stable_does_not_let_traffic_pass_the_gate_for_it() -> None:
    cluster = rolling(gate("legal", "Traffic"))
    cluster.crash("1").run(120)
    assert "2" not in cluster.serving()
    assert state(cluster, "legal").state == "Waiting"
    decide(cluster, "approve", "legal")
    cluster.run(30)
    assert cluster.serving()["2"] == 3


@rule("R13", "R27")
def test_candidate_with_traffic_serves_for_a_broken_stable_at_a_gate() -> None:
    cluster = rolling(RISK)
    cluster.crash("1").run(60)
    assert cluster.serving() == {"2": 3}
    assert cluster.status.stable
    assert cluster.status.stable.version == "1"
    cluster.heal("1").run(120)
    assert cluster.serving() == {"1": 3, "2": 1}
    assert cluster.status.weight == 25
    assert state(cluster, "risk").state == "Waiting"


@rule("R13", "R18", "R27")
@pytest.mark.parametrize(
    "one", [gate("legal", "Traffic"), gate("legal", "Weight", weight=50)], ids=["traffic", "weight"]
)
def test_lost_status_of_a_standby_grants_no_weight_past_a_gate(one: dict[str, Any]) -> None:
    scaled = {"scaling": {"replicas": 1}}
    cluster = Cluster(spec("1", **scaled)).run(10)
    cluster.spec = {**gated("2", one, steps=[{"weight": 50, "pause": "Manual"}]), **scaled}
    cluster.run(1.5).crash("1").run(15)
    cluster.status = Status()
    cluster.run(5)
    assert cluster.status.weight == 0
    cluster.heal("1").run(120)
    assert cluster.serving() == {"1": 1}
    assert (cluster.status.weight, state(cluster, "legal").state) == (0, "Waiting")


@rule("R13", "R18", "R27")
def test_recovery_of_stable_with_status_and_record_lost_grants_no_weight_past_a_gate() -> None:
    scaled = {"scaling": {"replicas": 1}}
    one, steps = gate("legal", "Weight", weight=50), [{"weight": 50, "pause": "Manual"}]
    cluster = Cluster({**gateway_spec("1"), **scaled}).run(10)
    cluster.spec = {**gated("2", one, make=gateway_spec, steps=steps), **scaled}
    cluster.run(1.5).crash("1").run(15)
    assert cluster.serving() == {"2": 1}
    assert cluster.route
    cluster.status, cluster.route = Status(), replace(cluster.route, traffic=TrafficRecord())
    cluster.heal("1").unattended(20).run(5)
    assert cluster.status.weight == 0
    assert cluster.serving() == {"1": 1}


@rule("R27")
def test_each_gate_is_reported_by_one_event_when_it_waits_and_when_it_passes() -> None:
    cluster = rolling(RISK, seconds=600)
    assert reasons(cluster).count("WaitingForApproval") == 1
    decide(cluster, "approve", "risk", by="alice", comment="looks good")
    cluster.run(120)
    passed = [e.message for e in cluster.events if e.reason == "GatePassed"]
    assert passed == [
        f"Gate risk of version 2 ({cluster.revision('2')}) was approved by alice: looks good"
    ]


@rule("R6", "R27")
def test_message_of_a_step_names_the_gate_that_follows() -> None:
    cluster = rolling(RISK, seconds=8)
    assert "then waits for gate risk before weight 50" in cluster.status.message


@rule("R18", "R27")
def test_gate_that_waits_causes_no_writes() -> None:
    cluster = rolling(RISK, seconds=120)
    writes = cluster.writes
    cluster.run(3600, tick=10)
    assert cluster.writes == writes


def approved(die_at: int | None = None) -> Cluster:
    """The story of a rollout through two gates, the operator dying before one write."""
    cluster = Cluster(spec("1")).run(10)
    cluster.spec = gated("2", RISK, gate("board", "Promotion"))
    cluster.run(20)
    cluster.die_at = die_at
    for name in ("risk", "board"):
        cluster.run(30)
        cluster.annotations["approve"] = f"{cluster.revision('2')}/{name}"
        cluster.run(30)
    return cluster


def _writes() -> range:
    cluster = Cluster(spec("1")).run(10)
    cluster.spec = gated("2", RISK, gate("board", "Promotion"))
    return range(cluster.run(20).writes, approved().writes)


@rule("R18", "R27")
@pytest.mark.parametrize("write", every(_writes()))
def test_gates_have_the_same_results_when_any_write_is_lost(write: int) -> None:
    cluster = approved(write)
    assert cluster.die_at is None, "the story is long enough to die at this write"
    cluster.run(60)
    assert cluster.serving() == {"2": 3}
    accepted = [c.token for c in cluster.status.commands if c.result == "Accepted"]
    assert sorted(accepted) == ["board", "risk"]
