"""Only positive evidence ends a pause, for any edit or loss (R12, R18)."""

from __future__ import annotations

from typing import Any

import pytest

from core.pause_scenarios import (
    MAKES,
    MANUAL_25,
    Make,
    Steps,
    edited,
    lose,
    order,
    promoted,
    rolling,
    rollout,
    stands,
    steps,
)

rule = pytest.mark.rule


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
