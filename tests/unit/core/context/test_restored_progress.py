"""No pause ends because status, record, route or stable is lost (R12, R18)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from canarium.api.status import Status
from core.cluster import gateway_spec, recorded, spec
from core.pause_scenarios import (
    MAKES,
    MANUAL_25,
    Make,
    Steps,
    edited,
    lose,
    order,
    promoted,
    record,
    rolling,
    rollout,
    stands,
    steps,
)
from sweep import every

rule = pytest.mark.rule


@rule("R18")
@MAKES
@pytest.mark.parametrize("replicas", [1, 3])
@pytest.mark.parametrize(
    "list_of",
    [
        steps((10, "Manual"), (50, "Manual"), (90, "2s")),  # A4
        steps((10, "Manual"), (20, "2s"), (60, "2s")),  # A5
        steps((10, "1s"), (20, "Manual"), (60, "2s")),
    ],
)
def test_manual_pause_remains_when_the_status_is_lost(
    make: Make, replicas: int, list_of: Steps
) -> None:
    weight = next(step["weight"] for step in list_of if step["pause"] == "Manual")
    cluster = rolling(make, list_of, scaling={"replicas": replicas})
    stands(cluster, weight)
    lose(cluster).run(60)
    stands(cluster, weight)
    lose(cluster).unattended(300).run(60)
    stands(cluster, weight)
    cluster.status = cluster.status.model_copy(update={"progress": None})
    cluster.run(60)
    stands(cluster, weight)
    cluster.status = cluster.status.model_copy(update={"candidate": None})
    cluster.run(60)
    stands(cluster, weight)


@rule("R12", "R18")
@MAKES
@pytest.mark.parametrize("seconds", every((0.5, 1, 2, 3, 4, 5, 6, 8, 20)))
def test_edit_and_lost_status_together_release_nothing(make: Make, seconds: float) -> None:
    cluster = rolling(make, steps((25, "1s"), (50, "Manual")), seconds)
    was = record(cluster).grant
    lose(cluster)
    edited(cluster, make, rollout(steps((25, "1s"), (60, "Manual"))))
    stands(cluster, 50 if was and was.weight == 50 else 60)


@rule("R12", "R18")
@MAKES
def test_candidate_keeps_its_weight_when_status_and_record_are_lost(make: Make) -> None:
    # A4
    cluster = rolling(make, steps((50, "Manual")))
    stands(cluster, 50)
    lose(cluster)
    assert cluster.service is not None
    cluster.service = recorded(cluster.service, grant=None)
    if cluster.route:
        traffic = replace(cluster.route.traffic, grant=None)
        cluster.route = replace(cluster.route, traffic=traffic)
    edited(cluster, make, rollout(steps((25, "1s"), (75, "1s"))))
    stands(cluster, 50)
    order(cluster, "promote").run(60)
    assert promoted(cluster)


@rule("R18")
@MAKES
def test_lost_status_restarts_the_clock_of_a_pause(make: Make) -> None:
    cluster = rolling(make, steps((25, "30s")), 20)
    lose(cluster).run(25)
    assert not promoted(cluster)
    cluster.run(20)
    assert promoted(cluster)


@rule("R16", "R18")
@MAKES
def test_promote_full_acts_when_the_status_is_lost_right_after_it(make: Make) -> None:
    # A6
    cluster = rolling(make, steps((10, "Manual"), (50, "Manual")))
    order(cluster, "promote-full")
    assert not promoted(cluster)
    lose(cluster).run(30)
    assert promoted(cluster)
    last = cluster.status.history[0]
    assert (last.outcome, last.by) == ("Promoted", "command promote-full/one")


@rule("R16", "R18")
@MAKES
def test_promote_full_before_any_traffic_acts_when_the_status_is_lost(make: Make) -> None:
    # A6
    cluster = rolling(make, steps((10, "Manual"), (50, "Manual")), 1)
    order(cluster, "promote-full")
    assert cluster.serving() == {"1": 3}
    lose(cluster).run(30)
    assert promoted(cluster)


@rule("R16", "R18")
@MAKES
def test_promote_releases_its_pause_once_although_the_status_is_lost_twice(make: Make) -> None:
    cluster = rolling(make, steps((10, "Manual"), (50, "Manual")))
    order(cluster, "promote")
    for _ in range(3):
        lose(cluster).run(30)
        stands(cluster, 50)
    # The annotation still stands on the parent, and so does the record of what it did.
    assert record(cluster).grant is not None
    assert record(cluster).grant.orders == ("promote/one",)
    order(cluster, "promote", "two").run(30)
    assert promoted(cluster)


@rule("R16", "R18")
@MAKES
def test_promote_is_recorded_before_it_takes_effect(make: Make) -> None:
    """The operator dies between any two writes; then the status is lost."""
    for dies in range(1, 8):
        cluster = rolling(make, steps((10, "Manual"), (50, "Manual")))
        cluster.annotations = {"promote": f"{cluster.revision('2')}/one"}
        cluster.die_at = cluster.writes + dies
        cluster.run(4)
        cluster.die_at = None
        lose(cluster).run(30)
        stands(cluster, 50)


@rule("R13", "R18")
@MAKES
def test_standby_candidate_still_waits_at_its_manual_pause(
    make: Make,
) -> None:
    # A7
    cluster = rolling(make, MANUAL_25)
    cluster.crash("1").run(30)
    assert not cluster.observed().ready(cluster.revision("1"))
    for _ in range(2):
        lose(cluster).run(60)
        assert not promoted(cluster)
        assert cluster.status.waiting_for is not None
        assert cluster.status.waiting_for.reason == "Manual"
        assert "version 1" in cluster.status.message
        assert "has no ready pod" in cluster.status.message
    order(cluster, "promote").run(30)
    assert promoted(cluster)


@rule("R18")
@MAKES
def test_candidate_without_status_or_record_keeps_its_weight(make: Make) -> None:
    cluster = rolling(make, steps((25, "1s"), (50, "Manual")))
    weight = 50
    lose(cluster)
    if cluster.route:
        cluster.route = replace(cluster.route, traffic=replace(record(cluster), grant=None))
    else:
        assert cluster.service is not None
        cluster.service = recorded(cluster.service, grant=None)
    cluster.run(60)
    stands(cluster, weight)
    order(cluster, "promote").run(30)
    assert promoted(cluster)


@rule("R18")
@MAKES
def test_release_in_the_status_without_a_record_is_ignored(make: Make) -> None:
    cluster = rolling(make, MANUAL_25)
    assert cluster.status.progress is not None
    for forged in (
        {"released": "promote/forged"},
        {"released": "Elapsed"},
        {"pause": "1s"},
        {"granted": 90, "weight": 90},
        {"passed": 3},
        {"full": True},
        {"granted": 0, "pause": None},
    ):
        progress = cluster.status.progress.model_copy(update=forged)
        cluster.status = cluster.status.model_copy(update={"progress": progress})
        cluster.run(60)
        stands(cluster, 25)


@rule("R12", "R18")
@MAKES
def test_weight_without_pause_and_record_stands_under_the_pause_of_the_list(make: Make) -> None:
    cluster = rolling(make, steps((25, "1h"), (50, "1s")))
    assert cluster.status.progress is not None
    lost = {"granted": 0, "pause": None, "step": 1, "steps": ()}
    progress = cluster.status.progress.model_copy(update=lost)
    cluster.status = cluster.status.model_copy(update={"progress": progress})
    if cluster.route:
        cluster.route = replace(cluster.route, traffic=replace(record(cluster), grant=None))
    else:
        assert cluster.service is not None
        cluster.service = recorded(cluster.service, grant=None)
    cluster.run(60)
    assert cluster.status.progress.weight == 25
    grant = record(cluster).grant
    assert grant is not None
    assert (grant.weight, grant.pause) == (25, "3600s")


@rule("R12", "R18")
def test_deleted_route_releases_no_pause() -> None:
    """Found by the simulation: the status was not believed without the route."""
    cluster = rolling(gateway_spec, MANUAL_25)
    cluster.route = None
    edited(cluster, gateway_spec, rollout(steps((30, "1s"), (50, "1s"))))
    stands(cluster, 25)


@rule("R12", "R18")
def test_deleted_route_releases_no_pause_when_the_router_changes_too() -> None:
    """Found by the simulation: the record was searched on the callers' Service, which had none."""
    cluster = rolling(gateway_spec, MANUAL_25)
    cluster.route = None
    edited(cluster, spec, rollout(steps((30, "1s"), (50, "1s"))))
    stands(cluster, 25)


@MAKES
@rule("R12", "R18")
@pytest.mark.parametrize("status_lost", [False, True], ids=["status", "no-status"])
@pytest.mark.parametrize("at_once", [False, True], ids=["one-by-one", "at-once"])
def test_manual_pause_remains_when_everything_of_stable_is_deleted(
    make: Make, at_once: bool, status_lost: bool
) -> None:
    """A7: the candidate serves in place of a deleted stable, and waits for its command."""
    cluster = rolling(make, steps((25, "Manual")))
    first = cluster.revision("1")
    cluster.records = [r for r in cluster.records if r.revision != first]
    if not at_once:
        cluster.run(1)
    del cluster.deployments[first]
    if status_lost:
        cluster.status = Status()
    cluster.run(60)
    assert cluster.status.stable is not None
    assert cluster.status.stable.revision == first
    assert cluster.status.phase == "Progressing"
    assert [o.outcome for o in cluster.status.history if o.revision == cluster.revision("2")] == []
    order(cluster, "promote").run(30)
    assert cluster.status.stable.revision == cluster.revision("2")
