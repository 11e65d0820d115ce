"""Budgets that are ratios to a floor of the same run."""

from __future__ import annotations

import pytest

from bench.budgets import Line, budgets
from bench.floors.floor import Floor
from bench.measure import Measured
from bench.phases.breaking import OFF
from bench.phases.restart import LISTED
from bench.run import Results

FLOORS = [Floor(8, 40.0, 45.0, 50.0, 8.0), Floor(16, 44.0, 48.0, 60.0, 10.0)]
PROMOTED = "all promoted, beside the same changes by a client that decides nothing"
RESTARTED = "restart until all were reconciled, beside a process that only lists them"
KILLED = "leader killed until the next one leads, beside the times of the Lease"
BROKEN = "all broken at once until no traffic is left, beside the bare writes"


def measured(phase: str, wall: float, n: int = 1000, **figures: float) -> Measured:
    return Measured("canarium", phase, n, wall, figures=figures)


def line(results: Results, what: str) -> Line:
    return next(line for line in budgets(results, [1000]) if line.what == what)


@pytest.mark.parametrize(
    ("phase", "what", "figure"),
    [
        (measured("update", 60.0), PROMOTED, "1.2 ×"),
        (measured("restart", 4.0, **{LISTED: 2.0}), RESTARTED, "2 ×"),
        (measured("failover by SIGKILL", 17.0), KILLED, "1 ×"),
        (measured("break all at once", 50.0, n=980, **{OFF: 12.0}), BROKEN, "1.5 ×"),
    ],
    ids=["update", "restart", "failover", "all at once"],
)
def test_figure_is_the_ratio_to_the_faster_floor(phase: Measured, what: str, figure: str) -> None:
    found = line(Results({1000: FLOORS}, [phase]), what)
    assert (found.figure, found.passed) == (figure, True)


@pytest.mark.parametrize("what", [PROMOTED, BROKEN])
def test_budget_without_its_floor_is_not_measured(what: str) -> None:
    phases = [measured("update", 60.0), measured("break all at once", 50.0, **{OFF: 12.0})]
    found = line(Results({}, phases), what)
    assert (found.figure, found.passed) == ("not measured", None)


@pytest.mark.parametrize(("wall", "passed"), [(4.4, True), (17.0, False)])
def test_killed_leader_costs_no_more_than_a_restart(wall: float, passed: bool) -> None:
    """Whose restarted container waits for the Lease takes its whole duration longer."""
    again = measured("restart", 4.0, **{LISTED: 2.0})
    phases = [again, measured("SIGKILL and restart in the pod", wall)]
    what = "leader killed until its restarted container has reconciled all, beside a restart"
    assert line(Results({}, phases), what).passed is passed


def test_slow_update_fails_its_budget() -> None:
    results = Results({1000: FLOORS}, [measured("update", 500.0)])
    assert line(results, PROMOTED).passed is False


@pytest.mark.parametrize(
    ("wall", "passed", "reached"), [(50.0, True, True), (80.0, True, False), (120.0, False, False)]
)
def test_missed_goal_fails_nothing_and_a_missed_limit_does(
    wall: float, passed: bool, reached: bool
) -> None:
    found = line(Results({1000: FLOORS}, [measured("update", wall)]), PROMOTED)
    assert (found.passed, found.reached) == (passed, reached)


def test_times_of_few_objects_are_reported_and_not_judged() -> None:
    results = Results({200: FLOORS}, [measured("update", 500.0, n=200)])
    found = next(line for line in budgets(results, [200]) if line.what == PROMOTED)
    assert (found.figure, found.limit, found.passed) == ("10 ×", "≤ 2 × at 1,000", None)
