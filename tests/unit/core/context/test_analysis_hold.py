"""A hold of the analysis ends on evidence or a command only (R12, R17, R18)."""

from __future__ import annotations

from typing import Any

import pytest

from canarium.core.evidence.verdict import Verdict
from core.cluster import Cluster, computed_once
from core.health.analysis_scenarios import CHECKS, seen
from core.pause_scenarios import MAKES, Make, edited, lose, order, promoted, rollout, steps
from sweep import first

rule = pytest.mark.rule


def judged(**more: Any) -> dict[str, Any]:
    return rollout(steps((25, "2s"), (50, "2s")), analysis={"checks": CHECKS, **more})


@computed_once
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
@pytest.mark.parametrize("lost", first([True, False]))
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
