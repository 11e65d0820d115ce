"""When a write that was rejected is tried again."""

from __future__ import annotations

import pytest

from canarium.core.facts.observed import Rejection, ResolvedRuntime
from canarium.engine.apply.rejections import PATIENT, URGENT, Rejections

KEY = ("risk", "fraud")
WISH = (1, ResolvedRuntime())
ROUTE = Rejection("HTTPRoute fraud", "no such field")


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.rule("R8", "R29")
def test_rejected_write_that_moves_traffic_is_retried_at_once() -> None:
    # E2: a spec's route was rejected for long when the candidate failed.
    clock = Clock()
    rejections = Rejections(clock)
    for _ in range(8):
        rejections.note(KEY, WISH, ROUTE)
    clock.now += 1
    assert rejections.of(KEY, WISH) == (ROUTE,)
    rejections.press(KEY, True)
    assert rejections.of(KEY, WISH) == ()
    assert rejections.outdated(KEY)

    rejections.note(KEY, WISH, ROUTE)
    rejections.press(KEY, True)
    assert rejections.of(KEY, WISH) == (ROUTE,)
    assert not rejections.outdated(KEY)
    wait = rejections.next_try(KEY)
    assert wait is not None
    assert wait <= URGENT < PATIENT
