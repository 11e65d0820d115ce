"""A version that became stable because it alone served: it still owes its pauses and gates."""

from __future__ import annotations

from typing import Any

import pytest

from canarium.api.status import Status
from canarium.core.facts.object_ref import ObjectRef
from core.api_answers import denied
from core.cluster import Cluster, computed_once, gateway_spec, spec
from sweep import every

rule = pytest.mark.rule
BOTH = pytest.mark.parametrize("make", [spec, gateway_spec])
MANUAL = [{"weight": 25, "pause": "Manual"}]
LEGAL = {"name": "legal", "before": "Promotion", "approval": {}}
OWED = {
    "steps": MANUAL,
    "gates": [LEGAL],
    "progressDeadline": "60s",
    "bakeTime": "20s",
    "scaleDownDelay": "1s",
}


@computed_once
def taken_over(make: Any = spec, **rollout: Any) -> Cluster:
    """Version 2 stands at its first step, version 1 is down, and version 3 waits until version 2
    is stable."""
    asked = {**OWED, **rollout}
    cluster = Cluster(make("1", rollout={**asked, "gates": []})).run(20)
    cluster.spec = make("2", rollout=asked)
    cluster.run(15)
    cluster.crash("1").run(12)
    cluster.spec = make("3", rollout=asked)
    while stable(cluster) == "1" and cluster.now < 1_300:
        cluster.run(1)
    assert stable(cluster) == "2"
    return cluster.run(5)


def again(make: Any = spec, **rollout: Any) -> Cluster:
    """The spec asks for version 2 once more."""
    cluster = taken_over(make, **rollout)
    cluster.spec = make("2", rollout={**OWED, **rollout})
    return cluster.run(20)


def stable(cluster: Cluster) -> str | None:
    return cluster.status.version


def waits(cluster: Cluster) -> str | None:
    return cluster.status.waiting_for and cluster.status.waiting_for.reason


def ends(cluster: Cluster) -> list[str]:
    return [o.outcome for o in reversed(cluster.status.history) if o.version == "2"]


def order(cluster: Cluster, command: str, token: str) -> Cluster:
    cluster.annotations[command] = f"{cluster.revision('2')}/{token}"
    return cluster.run(5)


@BOTH
@rule("R12", "R13", "R27")
def test_version_that_took_over_is_promoted_after_its_pause_and_its_gate(make: Any) -> None:
    cluster = again(make).run(3_600, tick=10)
    assert (stable(cluster), waits(cluster)) == ("2", "Manual")
    assert cluster.status.gates is not None
    assert [gate.state for gate in cluster.status.gates] == ["Pending"]
    assert "because no other version was serving" in cluster.status.message
    order(cluster, "promote", "t1").run(3_600, tick=10)
    assert waits(cluster) == "WaitingForApproval"
    conditions = {c.type: c.status for c in cluster.status.conditions}
    assert (conditions["Available"], conditions["Ready"]) == ("True", "False")
    assert ends(cluster) == ["Superseded", "TookOver"]
    order(cluster, "approve", "legal").run(20)
    assert cluster.status.phase == "Ready"
    assert ends(cluster) == ["Superseded", "TookOver", "Promoted"]


@BOTH
@rule("R12", "R13", "R27")
def test_version_that_took_over_returns_with_steps_and_gates(make: Any) -> None:
    cluster = taken_over(make, gates=[]).run(30)
    cluster.annotations["promote"] = f"{cluster.revision('3')}/t1"
    cluster.run(120)
    assert (stable(cluster), cluster.status.phase) == ("3", "Ready")
    cluster.spec = make("2", rollout=OWED)
    cluster.run(600, tick=5)
    assert (cluster.status.weight, waits(cluster)) == (25, "Manual")
    order(cluster, "promote", "t2").run(600, tick=5)
    assert (stable(cluster), waits(cluster)) == ("3", "WaitingForApproval")
    order(cluster, "approve", "legal").run(60)
    assert (stable(cluster), cluster.status.phase) == ("2", "Ready")
    assert not any(record.took_over for record in cluster.records)


@rule("R12")
def test_promoted_version_that_took_over_again_owes_nothing() -> None:
    cluster = Cluster(spec("1", rollout={**OWED, "steps": [], "gates": []})).run(20)
    bakes = {**OWED, "steps": [], "gates": [], "bakeTime": "1h"}
    cluster.spec = spec("2", rollout=bakes)
    cluster.run(20)
    cluster.crash("2")
    cluster.spec = spec("3", rollout=bakes)
    cluster.run(100)
    assert ("1", "TookOver") in [(o.version, o.outcome) for o in cluster.status.history]
    cluster.spec = spec("1", rollout=OWED)
    assert cluster.run(60).status.phase == "Ready"


@rule("R9", "R27")
def test_rejected_gate_fails_the_version_that_took_over_and_keeps_it_serving() -> None:
    cluster = order(again(), "promote", "t1")
    order(cluster, "reject", "legal").run(60)
    assert (cluster.status.phase, set(cluster.serving())) == ("Failed", {"2"})
    assert ends(cluster) == ["Superseded", "TookOver", "Failed"]
    assert cluster.status.failure is not None
    assert cluster.status.failure.reason == "GateRejected"


@rule("R12")
@pytest.mark.parametrize("edited", [[], [{"weight": 50, "pause": "Manual"}]])
def test_edit_of_the_steps_does_not_release_the_version_that_took_over(edited: Any) -> None:
    cluster = again(gates=[])
    cluster.spec = spec("2", rollout={**OWED, "gates": [], "steps": edited})
    assert waits(cluster.run(600, tick=5)) == "Manual"
    cluster.status = Status()
    assert waits(cluster.run(20)) == "Manual"


@rule("R12", "R16")
def test_durations_of_steps_release_the_version_that_took_over_and_stop_during_a_pause() -> None:
    steps = [{"weight": 25, "pause": "100s"}, {"weight": 50, "pause": "400s"}]
    cluster = again(gates=[], steps=steps)
    assert waits(cluster) == "StepPause"
    writes = cluster.writes
    assert cluster.run(100).writes == writes, "a wait writes nothing"
    order(cluster, "pause", "p").run(1_000, tick=5)
    assert waits(cluster) == "Paused"
    order(cluster, "resume", "r").run(300, tick=5)
    assert waits(cluster) == "StepPause"
    assert cluster.run(200, tick=5).status.phase == "Ready"


@rule("R13", "R18", "R27")
@pytest.mark.parametrize("lost", [False, True])
@pytest.mark.parametrize("at", every(range(1, 8)))
def test_crash_at_any_write_of_a_takeover_promotes_nothing(at: int, lost: bool) -> None:
    asked = {**OWED, "steps": [{"weight": 25, "pause": "Manual"}]}
    cluster = Cluster(spec("1", rollout={**asked, "gates": []})).run(20)
    cluster.spec = spec("2", rollout=asked)
    cluster.run(15)
    cluster.crash("1").run(12)
    cluster.spec = spec("3", rollout=asked)
    cluster.run(40).die_at = cluster.writes + at
    cluster.run(60)
    cluster.spec = spec("2", rollout=asked)
    if lost:
        cluster.status = Status()
    cluster.run(100)
    assert cluster.status.phase != "Ready"
    order(cluster, "promote", "t1").run(30)
    assert waits(cluster) == "WaitingForApproval"
    order(cluster, "approve", "legal").run(60)
    assert (stable(cluster), cluster.status.phase) == ("2", "Ready")


@rule("R27", "R29")
def test_version_that_took_over_waits_while_its_record_cannot_be_written() -> None:
    cluster = again(gates=[])
    record = ObjectRef("ControllerRevision", f"m-{cluster.revision('2')}")
    cluster.rejection = denied(record)
    order(cluster, "promote", "t1").run(20)
    assert (cluster.status.phase, waits(cluster)) == ("Progressing", "WriteRejected")
    assert cluster.rejection.message in cluster.status.message
    cluster.rejection = None
    cluster.run(20)
    assert cluster.status.phase == "Ready"
