"""What counts as a lost or late notification, and as a rollout that a sink has delayed."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bench.notifications.measuring import (
    LATER,
    WITHOUT,
    Delivered,
    Figures,
    Times,
    delivered,
    faults,
    ratios,
    table,
)

STARTED, WEIGHT, PROMOTED = ("09:00", "Started"), ("09:01", "WeightInEffect"), ("09:02", "Promoted")
RECORDED = [STARTED, WEIGHT, PROMOTED]
WHOLE = Delivered(recorded=3, missing=0, repeated=0, in_order=True, before=0, seconds=1.0)


def figures(found: Delivered, rollouts: list[float], rollbacks: list[float]) -> Figures:
    times = {WITHOUT: Times([1.0, 2.0, 3.0], [0.02] * 3), "late": Times(rollouts, rollbacks)}
    return Figures(times, {"late": found})


@pytest.mark.parametrize(
    ("accepted", "expected"),
    [
        (RECORDED, WHOLE),
        ([STARTED, STARTED, WEIGHT, STARTED, PROMOTED], replace(WHOLE, repeated=2)),
        ([STARTED, PROMOTED], replace(WHOLE, missing=1)),
        ([WEIGHT, STARTED, PROMOTED], replace(WHOLE, in_order=False)),
    ],
    ids=["whole", "repeated", "lost", "out of order"],
)
def test_what_a_sink_accepted_is_compared_with_what_was_recorded(
    accepted: list[tuple[str, str]], expected: Delivered
) -> None:
    assert delivered(RECORDED, accepted, before=0, seconds=1.0) == expected


def test_rollouts_are_compared_within_their_round() -> None:
    assert ratios([2.0, 2.0, 3.0], [1.0, 2.0, 3.0]) == [2.0, 1.0, 1.0]


@pytest.mark.parametrize(
    ("found", "rollouts", "rollbacks", "words"),
    [
        (replace(WHOLE, missing=1), [1.0, 2.0, 3.0], [0.02] * 3, "1 missing"),
        (replace(WHOLE, repeated=2), [1.0, 2.0, 3.0], [0.02] * 3, "2 repeated"),
        (replace(WHOLE, in_order=False), [1.0, 2.0, 3.0], [0.02] * 3, "OUT OF ORDER"),
        (WHOLE, [1.0, 2.6, 3.9], [0.02] * 3, "1.30 times as long"),
        (WHOLE, [1.0, 2.0, 3.0], [0.02, 0.3, 0.3], "0.28 s longer"),
    ],
)
def test_loss_repetition_wrong_order_and_delay_are_reported(
    found: Delivered, rollouts: list[float], rollbacks: list[float], words: str
) -> None:
    (fault,) = faults(figures(found, rollouts, rollbacks), most=1.25)
    assert fault.startswith("late: ")
    assert words in fault


def test_one_slow_round_is_allowed() -> None:
    run = figures(WHOLE, [5.0, 2.1, 3.0], [0.02, 0.02, LATER * 5])
    assert not list(faults(run, most=1.25))
    assert list(table(run))[-1].startswith("| answers after 10 s | 3.00 s | 1.05 (1.00 to 5.00) |")
