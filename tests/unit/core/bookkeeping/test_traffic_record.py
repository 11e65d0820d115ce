"""The traffic record: written with the traffic, restored when edited (R18)."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

import pytest

from canarium.api.effective_spec import Step
from canarium.api.status import RevisionStatus
from canarium.core.decision.plan import SelectColor, SetRouteWeights
from canarium.core.facts.grant import Grant
from canarium.core.facts.traffic_record import TrafficRecord
from core.cluster import Cluster, spec
from core.pause_scenarios import (
    BOTH_PHASES,
    MAKES,
    MANUAL_25,
    Make,
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


@rule("R18", "R23")
@MAKES
@pytest.mark.parametrize("at", ["rolling", "baking", "steady"])
@pytest.mark.parametrize("status", ["kept", "lost"])
@pytest.mark.parametrize(
    "field", every(["stable", "candidate", "promoted_at", "traffic_since", "previous", "grant"])
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
            return  # Then no source has it.
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
    granted: list[int] = []
    original = cluster._carry_out

    def carry_out(action: Any) -> None:
        if isinstance(action, SelectColor | SetRouteWeights) and action.traffic.grant:
            granted.append(action.traffic.grant.weight)
        if type(action).__name__ == "Scale" and action.replicas == 3 and make is spec:
            assert 50 in granted or not cluster.status.progress
        original(action)

    cluster._carry_out = carry_out  # type: ignore[method-assign]
    cluster.run(30)
    assert promoted(cluster)
    assert sorted(set(granted)) == ([25, 50] if make is spec else [25, 50, 100])


def test_progress_without_a_candidate_belongs_to_another_rollout() -> None:
    cluster = rolling(spec, MANUAL_25)
    other = RevisionStatus(revision=cluster.revision("1"))
    cluster.status = cluster.status.model_copy(update={"candidate": other})
    cluster.run(60)
    stands(cluster, 25)


@BOTH_PHASES
@rule("R18")
@MAKES
def test_record_without_times_and_grant_is_completed(make: Make, at: str) -> None:
    cluster = rolling(make, MANUAL_25)
    if at == "steady":
        order(cluster, "promote").run(500)
    before = record(cluster)
    bare = TrafficRecord(before.stable, before.candidate)
    if cluster.route:
        cluster.route = replace(cluster.route, traffic=bare)
    else:
        assert cluster.service is not None
        cluster.service = replace(cluster.service, traffic=bare)
    cluster.run(60)
    after = record(cluster)
    assert (after.stable, after.promoted_at) == (before.stable, before.promoted_at)
    if at == "rolling":
        assert after.grant is not None
        assert (after.grant.weight, after.grant.pause) == (25, "Manual")
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
