"""The current step: the one of the status, or of its progress where an older operator wrote it."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from canarium.view.fleet import row
from canarium.view.steps import position, steps
from canarium.view.tree import StepState
from view.samples import objects


def model(**status: Any) -> dict[str, Any]:
    """A model at its first of two steps, without `status.step`, changed by `status`."""
    changed: dict[str, Any] = copy.deepcopy(dict(objects("step-pause")[0].model))
    changed["status"] |= status
    return changed


@pytest.mark.parametrize(
    ("step", "number"), [("1/3", 1), ("2/3", 2), ("3/3", 3), ("9/3", 3), ("0/3", 1), ("x", 1)]
)
def test_step_of_the_status_is_the_current_one(step: str, number: int) -> None:
    listed = steps(model(step=step))
    states = [x.state for x in listed]
    assert states.index(StepState.CURRENT) == number - 1
    assert states == [StepState.DONE] * (number - 1) + [StepState.CURRENT] + [StepState.NEXT] * (
        3 - number
    )
    assert position(listed) == f"{number}/3"
    assert row(model(step=step), 0).step == f"{number}/3"


def test_step_of_the_progress_is_the_current_one_without_one_in_the_status() -> None:
    progress = {**model()["status"]["progress"], "step": 1}
    assert position(steps(model(progress=progress))) == "2/3"


def test_no_step_is_current_without_a_candidate() -> None:
    changed = model(candidate=None)
    assert {x.state for x in steps(changed)} == {StepState.NEXT}
    assert row(changed, 0).step == ""
