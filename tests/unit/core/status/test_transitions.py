"""The transitions in the status, which the notifier delivers (R28)."""

from __future__ import annotations

from typing import Any

import pytest

from canarium.api.status import Status
from canarium.api.status.transition import KEPT, Transition
from core.cluster import Cluster, gateway_spec, spec

rule = pytest.mark.rule
MANUAL = {"steps": [{"weight": 25, "pause": "10s"}, {"weight": 50, "pause": "Manual"}]}


def recorded(make: Any = spec, **extra: Any) -> Cluster:
    """Version 1 promoted and baked, and version 2 applied, with transitions recorded."""
    extra = {"rollout": {**MANUAL, "bakeTime": "20s"}, **extra}
    cluster = Cluster(make("1", **extra))
    cluster.keeps_transitions = True
    cluster.run(40)
    cluster.spec = make("2", **extra)
    return cluster


def kept(cluster: Cluster) -> tuple[Transition, ...]:
    return cluster.status.transitions or ()


def types(cluster: Cluster) -> list[str]:
    return [transition.type for transition in kept(cluster)]


def order(cluster: Cluster, command: str) -> None:
    cluster.annotations[command] = f"{cluster.revision('2')}/{command}"
    cluster.settle()


@rule("R28")
@pytest.mark.parametrize("make", [spec, gateway_spec])
def test_rollout_is_recorded_from_its_start_to_the_end_of_the_bake(make: Any) -> None:
    cluster = recorded(make).run(60)
    order(cluster, "promote")
    cluster.run(60)
    assert types(cluster) == [
        "Promoted",
        "Started",
        "WeightInEffect",
        "WeightInEffect",
        "WaitingForPromotion",
        "Promoted",
        "Completed",
    ]
    first, started, low, high, waiting, promoted, completed = kept(cluster)
    two = cluster.revision("2")
    assert first.version == "1"
    assert {t.revision for t in (started, low, high, waiting, promoted, completed)} == {two}
    assert {t.version for t in (started, low, high, waiting, promoted, completed)} == {"2"}
    assert [low.weight, high.weight, waiting.weight] == [25, 50, 50]


@rule("R28")
def test_times_are_distinct_and_ordered() -> None:
    cluster = recorded().run(60)
    times = [transition.time for transition in kept(cluster)]
    # Two were decided in the same moment: they differ all the same.
    assert times == sorted(set(times))
    assert len(times) == 5


@rule("R8", "R28")
def test_failure_is_recorded_with_its_reason_once() -> None:
    cluster = recorded().run(60)
    cluster.crash("2")
    cluster.run(60)
    last = kept(cluster)[-1]
    assert types(cluster).count("RolledBack") == 1
    failure = cluster.status.failure
    assert failure is not None
    assert (last.type, last.revision, last.version) == ("RolledBack", failure.revision, "2")
    assert last.reason == failure.reason
    assert failure.reason in last.message


@rule("R16", "R28")
def test_undo_is_another_type_than_a_rollback() -> None:
    cluster = recorded().run(60)
    order(cluster, "promote")
    cluster.run(10)
    order(cluster, "undo")
    cluster.run(20)
    assert types(cluster)[-2:] == ["Promoted", "Undone"]
    assert kept(cluster)[-1].version == "2"


@rule("R28")
def test_status_keeps_the_last_transitions_only() -> None:
    cluster = recorded()
    for number in range(3, 12):
        cluster.spec = spec(str(number))
        cluster.run(90)
    assert len(kept(cluster)) == KEPT
    assert types(cluster)[-1] == "Completed"
    assert kept(cluster)[-1].version == "11"


@rule("R28")
def test_nothing_is_recorded_without_notifications_and_old_ones_cause_no_write() -> None:
    cluster = recorded().run(60)
    cluster.keeps_transitions = False
    known, writes = kept(cluster), cluster.writes
    cluster.run(30)
    assert (kept(cluster), cluster.writes) == (known, writes)
    never = Cluster(spec("1")).run(60)
    assert never.status.transitions is None


@rule("R28")
def test_clock_that_is_set_back_leaves_the_order() -> None:
    cluster = recorded().run(60)
    known = kept(cluster)
    cluster.now -= 30
    order(cluster, "abort")
    assert kept(cluster)[: len(known)] == known
    assert kept(cluster)[-1].time > known[-1].time


def test_lost_status_records_no_old_transition_again() -> None:
    cluster = recorded().run(60)
    cluster.status = Status()
    cluster.run(20)
    assert types(cluster) == []


@rule("R28")
@pytest.mark.parametrize("time", ["9999-12-31T23:59:59.999Z", "0000-01-01T00:00:00Z"])
def test_time_that_no_operator_wrote_is_dropped(time: str) -> None:
    cluster = recorded().run(60)
    edited = kept(cluster)[-1].model_copy(update={"time": time})
    before = (*kept(cluster), edited)
    cluster.status = cluster.status.model_copy(update={"transitions": before})
    order(cluster, "promote")
    assert types(cluster)[-1] == "Promoted"
    assert time not in [transition.time for transition in kept(cluster)]
    times = [transition.time for transition in kept(cluster)]
    assert times == sorted(set(times))
