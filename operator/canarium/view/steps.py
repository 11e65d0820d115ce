"""The steps of a rollout, and which one it is at."""

from __future__ import annotations

from canarium.api.defaults import STRATEGY
from canarium.view.objects import Raw, items, number, part, text
from canarium.view.tree import Step, StepState


def steps(model: Raw) -> tuple[Step, ...]:
    """Returns the steps of the rollout that is in progress, or of the next one, the promotion as
    the last; empty where the strategy has none.

    While a change of strategy is pending, the steps in effect are the status'.
    """
    spec, status = part(model, "spec"), part(model, "status")
    rollout, progress = part(spec, "rollout"), part(status, "progress")
    if text(rollout, "strategy") not in ("", STRATEGY) and not items(progress, "steps"):
        return ()
    listed = items(progress, "steps") or items(rollout, "steps")
    if not listed:
        return ()
    current = _current(status, listed)
    weight_steps = [
        Step(index + 1, number(step, "weight"), text(step, "pause"), _state(index, current))
        for index, step in enumerate(listed)
    ]
    return (*weight_steps, Step(len(listed) + 1, 100, "", _state(len(listed), current)))


def _current(status: Raw, listed: tuple[Raw, ...]) -> int | None:
    """Returns the index of the current step; None while no rollout is in progress."""
    if not part(status, "candidate"):
        return None
    shown = text(status, "step").partition("/")[0]
    if shown.isdecimal() and len(shown) < 4:
        return min(max(int(shown) - 1, 0), len(listed))
    return min(number(part(status, "progress"), "step"), len(listed))


def _state(index: int, current: int | None) -> StepState:
    if current is None or index > current:
        return StepState.NEXT
    return StepState.CURRENT if index == current else StepState.DONE


def position(listed: tuple[Step, ...]) -> str:
    """Returns the current step among the steps, such as `2/4`; empty outside a rollout."""
    current = next((step for step in listed if step.state is StepState.CURRENT), None)
    return f"{current.number}/{len(listed)}" if current else ""
