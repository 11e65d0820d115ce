"""From when to when each revision had traffic: known without the status, and for no write more."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest

from canarium.api.status import Status
from canarium.core.decision.plan import AnnotateRevision
from canarium.core.facts.periods import Period, all_periods, current_periods, parse_periods
from canarium.core.facts.traffic_record import TrafficRecord
from canarium.core.times import parse, stamp
from core.cluster import Cluster, gateway_spec, spec
from sweep import every

rule = pytest.mark.rule
Specs = Callable[..., dict[str, Any]]


def served(cluster: Cluster, version: str) -> list[Period]:
    """What is known of a version without the status: by the records and the traffic record."""
    traffic_object = cluster.route or cluster.service
    assert traffic_object is not None
    current = current_periods(traffic_object.traffic)
    noted = [period for record in cluster.records for period in parse_periods(record.served)]
    known = all_periods((*noted, *current), ())
    return [x for x in known if cluster.version(x.revision) == version]


def update(cluster: Cluster, version: str, seconds: float = 100, make: Specs = spec) -> None:
    cluster.spec = make(version)
    cluster.run(seconds)


def fail(cluster: Cluster, version: str) -> None:
    """A candidate that gets traffic and then crashes."""
    update(cluster, version, 8)
    assert cluster.serving()[version]
    cluster.crash(version).run(20)
    assert cluster.status.phase == "RolledBack"


@pytest.mark.parametrize("make", [spec, gateway_spec], ids=["Service", "Gateway"])
@rule("R1", "R18")
def test_periods_survive_ten_failed_versions_and_a_lost_status(make: Specs) -> None:
    cluster = Cluster(make("1")).run(20)
    update(cluster, "2", make=make)
    (first,), (second,) = served(cluster, "1"), served(cluster, "2")
    for number in range(10):
        cluster.broken.add(f"bad-{number}")
        update(cluster, f"bad-{number}", 20, make)
    assert all(o.outcome == "RolledBack" for o in cluster.status.history)
    cluster.status = Status()
    cluster.run(20)
    assert served(cluster, "1") == [first]
    assert served(cluster, "2") == [second]
    assert first.ended == second.promoted
    assert second.ended is None
    # No record is deleted: its periods would be deleted with it.
    update(cluster, "3", make=partial(make, revisionHistoryLimit=20))
    assert served(cluster, "1") == [first]
    assert served(cluster, "2")[0].ended == served(cluster, "3")[0].promoted


@pytest.mark.parametrize("make", [spec, gateway_spec], ids=["Service", "Gateway"])
@rule("R1")
def test_period_of_a_promoted_version_begins_with_its_first_traffic(make: Specs) -> None:
    cluster = Cluster(make("1")).run(20)
    update(cluster, "2", make=make)
    log = cluster.routed if cluster.route else cluster.shares
    given = next(at for at, shares in log if shares.get("2", shares.get(cluster.revision("2"))))
    (period,) = served(cluster, "2")
    assert period.promoted is not None
    assert period.began < period.promoted
    assert abs(given - parse(period.began)) <= 1.0


@rule("R1")
def test_period_of_a_rolled_back_version_ends_with_the_rollback() -> None:
    cluster = Cluster(spec("1")).run(20)
    fail(cluster, "2")
    (period,) = served(cluster, "2")
    assert period.promoted is None
    assert period.ended is not None
    assert period.began < period.ended <= cluster.status.history[0].time
    assert served(cluster, "1")[0].ended is None


@rule("R1", "R15")
def test_undo_ends_a_period_and_begins_one_of_the_previous_version() -> None:
    cluster = Cluster(spec("1")).run(20)
    update(cluster, "2", 40)
    assert cluster.status.phase == "Baking"
    cluster.crash("2").run(20)
    (undone,) = served(cluster, "2")
    first, again = served(cluster, "1")
    assert undone.began < (undone.promoted or "") < (undone.ended or "")
    assert first.ended == undone.promoted
    assert (again.promoted, again.ended) == (undone.ended, None)


@rule("R1", "R10")
@pytest.mark.parametrize("following", ["3", "1"], ids=["superseded", "withdrawn"])
def test_period_of_a_candidate_ends_when_the_spec_replaces_it(following: str) -> None:
    cluster = Cluster(spec("1")).run(20)
    update(cluster, "2", 10)
    before = stamp(cluster.now)
    update(cluster, following)
    (period,) = served(cluster, "2")
    assert (period.promoted, period.ended) == (None, before)


@rule("R1", "R21")
def test_period_of_a_candidate_withdrawn_for_an_invalid_spec_is_recorded() -> None:
    cluster = Cluster(spec("1")).run(20)
    update(cluster, "2", 10)
    cluster.spec = spec("3")
    cluster.runtime = type(cluster.runtime)(reason="UnknownRuntime", message="no such runtime")
    before = stamp(cluster.now)
    cluster.run(60)
    assert cluster.status.phase == "Invalid"
    assert [x.ended for x in served(cluster, "2")] == [before]


@rule("R1", "R18")
def test_versions_that_alternate_have_all_their_periods() -> None:
    cluster = Cluster(spec("1")).run(20)
    for version in ("2", "1", "2", "1"):
        update(cluster, version)
        cluster.status = Status()
    one, two = served(cluster, "1"), served(cluster, "2")
    assert len(one) == 3
    assert len(two) == 2
    turns = sorted((*one, *two), key=lambda x: x.promoted or "")
    assert [x.ended for x in turns] == [*(x.promoted for x in turns[1:]), None]


@rule("R11", "R18")
def test_promoted_versions_are_known_after_a_lost_status() -> None:
    cluster = Cluster(spec("1")).run(20)
    update(cluster, "2")
    update(cluster, "1")
    cluster.status = Status()
    cluster.spec = spec("2")
    cluster.run(10)
    assert cluster.serving() == {"2": 3}, "no step is held"


@rule("R18")
def test_recorded_periods_are_not_recorded_again() -> None:
    cluster = Cluster(spec("1")).run(20)
    fail(cluster, "2")
    update(cluster, "3", 10)
    update(cluster, "1")
    before = cluster.writes
    for _ in range(3):
        assert not [a for a in cluster.reconcile().actions if isinstance(a, AnnotateRevision)]
    assert cluster.writes == before


def test_foreign_annotation_of_periods_is_ignored() -> None:
    for text in ("", "no", "{}", "[1]", '[{"revision": "a"}]', '[{"revision": "a", "from": "x"}]'):
        assert parse_periods(text) == ()
    good = f'{{"revision": "a", "from": "{stamp(1)}"}}'
    assert parse_periods(f"[1, {good}]") == (Period("a", stamp(1)),)
    for given in (None, "", "a", "a/", "a/x", "/"):
        alone = TrafficRecord("a", promoted_at=stamp(2), traffic_since=given)
        assert current_periods(alone) == (Period("a", stamp(2), stamp(2)),)
        beside = TrafficRecord("b", "a", promoted_at=stamp(2), traffic_since=given)
        assert current_periods(beside) == (Period("b", stamp(2), stamp(2)),)


def test_history_fills_the_time_before_periods_were_recorded() -> None:
    history = [("b", "Promoted", stamp(9)), ("a", "Undone", stamp(5)), ("a", "Promoted", stamp(3))]
    noted = (Period("b", stamp(8), stamp(9)),)
    assert all_periods(noted, history) == (
        Period("a", stamp(3), stamp(3), stamp(5)),
        Period("b", stamp(8), stamp(9)),
    )


def taken_back(die_at: int | None = None) -> Cluster:
    """Version 2 is undone, 3 withdrawn, 4 rolled back; the operator may die at one write."""
    cluster = Cluster(spec("1"), die_at=die_at).run(10)
    update(cluster, "2", 40)
    cluster.crash("2").run(15)
    update(cluster, "3", 10)
    update(cluster, "1", 10)
    update(cluster, "4", 10)
    return cluster.crash("4").run(15)


@rule("R1", "R18")
@pytest.mark.parametrize("write", every(range(taken_back().writes)))
def test_periods_are_complete_when_any_write_is_lost(write: int) -> None:
    cluster = taken_back(write)
    cluster.die_at = None
    shapes = {
        version: [(bool(x.promoted), bool(x.ended)) for x in served(cluster, version)]
        for version in ("1", "2", "3", "4")
    }
    assert shapes == {
        "1": [(True, True), (True, False)],
        "2": [(True, True)],
        "3": [(False, True)],
        "4": [(False, True)],
    }
