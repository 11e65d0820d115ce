"""A pause is over on positive evidence only, whatever is edited or lost (R12, R18)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import pytest

from canarium.api.effective_spec import Step
from canarium.api.status import RevisionStatus, Status
from canarium.core.decision.plan import SelectColor, SetRouteWeights
from canarium.core.evidence.verdict import Verdict
from canarium.core.facts.grant import Grant
from canarium.core.facts.traffic_record import TrafficRecord
from core.cluster import Cluster, gateway_spec, recorded, spec
from core.health.test_gates import CHECKS, seen

rule = pytest.mark.rule
Steps = list[dict[str, Any]]
Make = Callable[..., dict[str, Any]]
MAKES = pytest.mark.parametrize("make", [spec, gateway_spec], ids=["Service", "Gateway"])
MANUAL_25 = [{"weight": 25, "pause": "Manual"}]
BOTH_PHASES = pytest.mark.parametrize("at", ["rolling", "steady"])


def steps(*pairs: tuple[int, str]) -> Steps:
    return [{"weight": weight, "pause": pause} for weight, pause in pairs]


def rollout(list_of: Steps | None, **more: Any) -> dict[str, Any]:
    return {**({"steps": list_of} if list_of is not None else {}), "bakeTime": "5m", **more}


def rolling(make: Make, list_of: Steps, seconds: float = 20, **more: Any) -> Cluster:
    """Version 1 is stable, and version 2 is so long on its way."""
    cluster = Cluster(make("1", rollout=rollout(list_of), **more)).run(10)
    cluster.spec = make("2", rollout=rollout(list_of), **more)
    return cluster.run(seconds)


def edited(cluster: Cluster, make: Make, changed: dict[str, Any], **more: Any) -> Cluster:
    cluster.spec = make("2", **more, rollout=changed)
    return cluster.run(60)


def order(cluster: Cluster, command: str, token: str = "one") -> Cluster:
    cluster.annotations = {command: f"{cluster.revision('2')}/{token}"}
    return cluster.settle()


def lose(cluster: Cluster) -> Cluster:
    cluster.status = Status()
    return cluster


def record(cluster: Cluster) -> TrafficRecord:
    witness = cluster.route or cluster.service
    assert witness is not None
    return witness.traffic


def stands(cluster: Cluster, weight: int) -> None:
    """Version 2 stands at `weight` and waits for an order."""
    progress = cluster.status.progress
    assert progress is not None, cluster.status.message
    assert progress.weight == weight, cluster.status.message
    assert cluster.version(record(cluster).stable) == "1", cluster.status.message
    assert cluster.status.waiting_for is not None
    assert cluster.status.waiting_for.reason == "Manual", cluster.status.message
    if cluster.route:
        assert cluster.route.weight(cluster.revision("2")) == weight


def promoted(cluster: Cluster) -> bool:
    return cluster.version(record(cluster).stable) == "2"


# --- edits ----------------------------------------------------------------------------------


@rule("R12")
@MAKES
@pytest.mark.parametrize(
    "then",
    [
        steps((25, "1s"), (30, "1s"), (50, "Manual")),  # A1
        steps((50, "Manual")),  # A2
        steps((50, "Manual"), (75, "Manual")),  # A2
        steps((25, "1s"), (40, "Manual")),  # A3
        steps((25, "1s")),
        steps((75, "1s")),
        steps((10, "1s"), (20, "1s"), (60, "1s")),
        [],
        None,
    ],
)
def test_manual_pause_remains_when_other_steps_are_edited(make: Make, then: Steps | None) -> None:
    cluster = rolling(make, steps((25, "1s"), (50, "Manual")))
    stands(cluster, 50)
    edited(cluster, make, rollout(then))
    stands(cluster, 50)
    order(cluster, "promote").run(30)
    following = [step["weight"] for step in then or () if step["weight"] > 50]
    if following and then and then[-1]["pause"] == "Manual":
        stands(cluster, following[0])
    else:
        assert promoted(cluster), cluster.status.message


@rule("R12", "R22")
@MAKES
@pytest.mark.parametrize(
    "changed",
    [
        rollout([{"weight": 10, "pause": "Manual"}]),
        {},
        rollout([]),
        rollout([{"weight": 10, "pause": "1s"}]),
        rollout([{"weight": 50, "pause": "1s"}]),
        rollout([{"weight": 30, "pause": "Manual"}]),
        rollout([{"weight": 50, "pause": "Manual"}]),
        rollout(None, strategy="BlueGreen"),
        rollout(None, strategy="Recreate"),
    ],
)
def test_no_edit_of_the_rollout_raises_a_weight_or_ends_its_manual_pause(
    make: Make, changed: dict[str, Any]
) -> None:
    # I1, A8
    cluster = rolling(make, MANUAL_25)
    stands(cluster, 25)
    edited(cluster, make, changed)
    stands(cluster, 25)
    assert cluster.observed().ready(cluster.revision("2")) == 1
    lose(cluster).run(60)
    stands(cluster, 25)


@rule("R12")
@MAKES
def test_pause_of_a_step_of_the_same_weight_applies_when_it_is_edited(make: Make) -> None:
    cluster = rolling(make, MANUAL_25)
    edited(cluster, make, rollout(steps((25, "5s"), (60, "Manual"))))
    stands(cluster, 60)


@rule("R12")
@MAKES
def test_pause_edited_to_manual_survives_a_lost_status_and_the_removal_of_its_step(
    make: Make,
) -> None:
    cluster = rolling(make, steps((25, "1h"), (50, "1s")))
    edited(cluster, make, rollout(steps((25, "Manual"), (50, "1s"))))
    stands(cluster, 25)
    lose(cluster)
    edited(cluster, make, rollout(steps((50, "1s"))))
    stands(cluster, 25)


@rule("R12")
@MAKES
def test_second_pause_at_the_same_weight_is_separate(make: Make) -> None:
    cluster = rolling(make, steps((25, "2s"), (25, "Manual"), (25, "Manual")))
    stands(cluster, 25)
    lose(cluster)
    edited(cluster, make, rollout(steps((50, "1s"))))
    stands(cluster, 25)
    cluster = rolling(make, steps((25, "Manual"), (25, "Manual")))
    order(cluster, "promote", "one").run(60)
    stands(cluster, 25)
    order(cluster, "promote", "two").run(60)
    assert promoted(cluster)


# --- what is lost ---------------------------------------------------------------------------


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
def test_edit_and_lost_status_together_release_nothing(make: Make) -> None:
    for seconds in (0.5, 1, 2, 3, 4, 5, 6, 8, 20):
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
def test_rollout_started_by_an_older_operator_keeps_its_weight(make: Make) -> None:
    cluster = rolling(make, steps((25, "1s"), (50, "Manual")))
    assert cluster.status.progress is not None
    old = {"granted": 0, "pause": None, "step": 1, "steps": ()}
    progress = cluster.status.progress.model_copy(update=old)
    cluster.status = cluster.status.model_copy(update={"progress": progress})
    if cluster.route:
        cluster.route = replace(cluster.route, traffic=replace(record(cluster), grant=None))
    else:
        assert cluster.service is not None
        cluster.service = recorded(cluster.service, grant=None)
    cluster.run(60)
    stands(cluster, 50)
    grant = record(cluster).grant
    assert grant is not None
    assert (grant.weight, grant.pause) == (50, "Manual")


# --- the record itself ----------------------------------------------------------------------


@rule("R18", "R23")
@MAKES
@pytest.mark.parametrize("at", ["rolling", "baking", "steady"])
@pytest.mark.parametrize("status", ["kept", "lost"])
@pytest.mark.parametrize(
    "field", ["stable", "candidate", "promoted_at", "traffic_since", "previous", "grant"]
)
def test_removed_annotation_of_the_record_is_restored_at_once(
    make: Make, at: str, status: str, field: str
) -> None:
    # C9
    cluster = rolling(make, MANUAL_25)
    if at != "rolling":
        order(cluster, "promote").run(30)
    if at == "steady":
        cluster.run(400)
    before = record(cluster)
    if status == "lost":
        if field in ("grant", "previous", "stable", "promoted_at"):
            return  # Then nobody knows it.
        lose(cluster)
    removed = replace(before, **{field: None})
    if cluster.route:
        cluster.route = replace(cluster.route, traffic=removed)
    else:
        assert cluster.service is not None
        cluster.service = replace(cluster.service, traffic=removed)
    cluster.settle()
    after = record(cluster)
    if field == "previous" and at != "baking":
        return
    changed = getattr(before, field) and not getattr(after, field)
    assert not changed, f"{field}: {getattr(before, field)} is {getattr(after, field)}"
    if field in ("stable", "candidate", "previous"):
        assert getattr(after, field) == getattr(before, field)


@rule("R18", "R23")
@MAKES
def test_stable_annotation_edited_to_the_candidate_promotes_nothing(make: Make) -> None:
    # C9
    cluster = rolling(make, MANUAL_25)
    forged = replace(record(cluster), stable=cluster.revision("2"))
    if cluster.route:
        cluster.route = replace(cluster.route, traffic=forged)
    else:
        assert cluster.service is not None
        cluster.service = replace(cluster.service, traffic=forged)
    cluster.run(30)
    stands(cluster, 25)


@rule("R12")
@MAKES
def test_grant_is_written_with_the_traffic_and_before_the_pods_that_raise_it(make: Make) -> None:
    cluster = Cluster(make("1", rollout=rollout(steps((25, "2s"), (50, "2s"))))).run(10)
    cluster.spec = make("2", rollout=rollout(steps((25, "2s"), (50, "2s"))))
    told: list[int] = []
    original = cluster._carry_out

    def carry_out(action: Any) -> None:
        if isinstance(action, SelectColor | SetRouteWeights) and action.traffic.grant:
            told.append(action.traffic.grant.weight)
        if type(action).__name__ == "Scale" and action.replicas == 3 and make is spec:
            assert 50 in told or not cluster.status.progress
        original(action)

    cluster._carry_out = carry_out  # type: ignore[method-assign]
    cluster.run(30)
    assert promoted(cluster)
    assert sorted(set(told)) == ([25, 50] if make is spec else [25, 50, 100])


def test_progress_without_a_candidate_belongs_to_another_rollout() -> None:
    cluster = rolling(spec, MANUAL_25)
    other = RevisionStatus(revision=cluster.revision("1"))
    cluster.status = cluster.status.model_copy(update={"candidate": other})
    cluster.run(60)
    stands(cluster, 25)


# --- settings that wait -----------------------------------------------------------------------


def condition(cluster: Cluster, kind: str) -> tuple[str, str] | None:
    found = (c for c in cluster.status.conditions if c.type == kind)
    return next(((c.status, c.message) for c in found), None)


@rule("R12", "R22")
@MAKES
@pytest.mark.parametrize("strategy", ["BlueGreen", "Recreate"])
def test_change_of_strategy_waits_for_the_end_of_the_rollout_and_is_reported(
    make: Make, strategy: str
) -> None:
    # A8
    cluster = rolling(make, steps((25, "Manual"), (50, "Manual")))
    edited(cluster, make, rollout(None, strategy=strategy))
    stands(cluster, 25)
    told = condition(cluster, "SettingsPending")
    assert told is not None
    assert told[0] == "True"
    assert f"Strategy {strategy} takes effect after this rollout" in told[1]
    assert told[1] in cluster.status.message
    order(cluster, "promote").run(60)
    stands(cluster, 50)
    lose(cluster).run(60)
    stands(cluster, 50)
    order(cluster, "promote", "two").run(30)
    assert promoted(cluster)
    assert condition(cluster, "SettingsPending") is None


@rule("R12")
@pytest.mark.parametrize(("make", "other"), [(spec, gateway_spec), (gateway_spec, spec)])
def test_change_of_router_waits_and_is_reported(make: Make, other: Make) -> None:
    # A9
    cluster = rolling(make, MANUAL_25)
    edited(cluster, other, rollout(MANUAL_25))
    stands(cluster, 25)
    told = condition(cluster, "SettingsPending")
    assert told is not None
    assert "takes effect once no rollout or bake is in progress" in told[1]
    assert told[1] in cluster.status.message
    order(cluster, "promote").run(30)
    assert promoted(cluster)
    assert cluster.status.phase == "Baking"
    assert condition(cluster, "SettingsPending") is not None
    cluster.run(400)
    assert condition(cluster, "SettingsPending") is None
    assert bool(cluster.route) == (other is gateway_spec)


@rule("R12")
def test_step_of_weight_zero_has_no_traffic_while_its_router_is_pending() -> None:
    # A9: only routers that mirror or match headers have steps of 0; this one still waits.
    cluster = rolling(spec, MANUAL_25, seconds=1)
    edited(cluster, gateway_spec, rollout(steps((0, "Manual"), (50, "Manual"))))
    stands(cluster, 0)
    assert cluster.serving() == {"1": 3}


# --- a hold of the analysis -------------------------------------------------------------------


def judged(**more: Any) -> dict[str, Any]:
    return rollout(steps((25, "2s"), (50, "2s")), analysis={"checks": CHECKS, **more})


def held_by_analysis(make: Make) -> Cluster:
    """Version 2 at weight 25, whose time is over and whose checks have too few samples."""
    cluster = Cluster(make("1", rollout=judged())).run(10)
    cluster.spec = make("2", rollout=judged())
    cluster.run(10)
    seen(cluster, Verdict.INSUFFICIENT)
    cluster.run(10)
    holds(cluster, "InsufficientData")
    return cluster


def holds(cluster: Cluster, *reasons: str) -> None:
    assert cluster.status.progress is not None, cluster.status.message
    assert cluster.status.progress.weight == 25, cluster.status.message
    assert not promoted(cluster)
    assert cluster.status.waiting_for is not None
    assert cluster.status.waiting_for.reason in reasons, cluster.status.message


@rule("R17", "R18")
@MAKES
@pytest.mark.parametrize("restarts", [False, True])
def test_analysis_hold_remains_when_the_status_is_lost(make: Make, restarts: bool) -> None:
    # A5
    cluster = held_by_analysis(make)
    lose(cluster)
    if restarts:
        cluster.evidence = None
    cluster.run(60)
    holds(cluster, "Analysis", "InsufficientData")
    seen(cluster, Verdict.PASS)
    cluster.run(10)
    assert cluster.status.progress is not None
    assert cluster.status.progress.weight == 50


@rule("R12", "R17")
@MAKES
@pytest.mark.parametrize(
    "changed",
    [
        rollout(steps((25, "2s"), (50, "2s"))),
        {},
        judged(onInsufficientData="Promote"),
        judged(startWeight=60),
        rollout(steps((50, "2s")), analysis={"checks": CHECKS, "startWeight": 100}),
        rollout(None, strategy="BlueGreen"),
    ],
)
@pytest.mark.parametrize("lost", [False, True])
def test_no_edit_of_the_rollout_ends_an_analysis_hold(
    make: Make, changed: dict[str, Any], lost: bool
) -> None:
    cluster = held_by_analysis(make)
    if lost:
        lose(cluster)
    edited(cluster, make, changed)
    if cluster.requests.analysis:
        seen(cluster, Verdict.INSUFFICIENT)
        cluster.run(10)
    holds(cluster, "Analysis", "InsufficientData", "AnalysisRemoved")
    order(cluster, "promote").run(30)
    assert cluster.status.progress is None or cluster.status.progress.weight > 25


@rule("R12", "R18")
def test_deleted_route_releases_no_pause() -> None:
    """Found by the simulation: the status was not believed without the route."""
    cluster = rolling(gateway_spec, MANUAL_25)
    cluster.route = None
    edited(cluster, gateway_spec, rollout(steps((30, "1s"), (50, "1s"))))
    stands(cluster, 25)


@MAKES
@rule("R12", "R18")
@pytest.mark.parametrize("status_lost", [False, True], ids=["status", "no-status"])
@pytest.mark.parametrize("at_once", [False, True], ids=["one-by-one", "at-once"])
def test_manual_pause_remains_when_everything_of_stable_is_deleted(
    make: Make, at_once: bool, status_lost: bool
) -> None:
    """A7: the candidate answers for a stable that is gone, and waits for its order."""
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


@BOTH_PHASES
@rule("R18", "R19")
@MAKES
def test_record_of_an_older_operator_is_kept_until_the_next_write(make: Make, at: str) -> None:
    """An upgrade writes to no model's objects; a grant is on record before it takes effect."""
    cluster = rolling(make, MANUAL_25)
    if at == "steady":
        order(cluster, "promote").run(500)
    before = record(cluster)
    old = TrafficRecord(before.stable, before.candidate)
    if cluster.route:
        cluster.route = replace(cluster.route, traffic=old)
    else:
        assert cluster.service is not None
        cluster.service = replace(cluster.service, traffic=old)
    cluster.run(60)
    assert record(cluster) == old
    if at == "rolling":
        stands(cluster, 25)
        order(cluster, "promote").run(30)
        assert promoted(cluster)


@rule("R12", "R18")
def test_record_keeps_all_of_a_grant() -> None:
    grant = Grant(
        revision="r",
        weight=50,
        origin=25,
        since="2026-01-01T00:00:00.000Z",
        pause="Manual",
        analysis="Hold",
        passed=1,
        released="promote/one",
        full="promote-full/two",
        orders=("promote/one", "promote-full/two"),
        strategy="Canary",
        steps=(Step(50, None), Step(75, 10.0)),
    )
    assert all(getattr(grant, field.name) for field in fields(Grant))
    assert Grant.from_text(grant.to_text()) == grant
