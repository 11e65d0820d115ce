"""When a write that was rejected is tried again."""

from __future__ import annotations

import pytest

from canarium.core.facts.object_ref import ObjectRef
from canarium.core.facts.observed import Rejection, ResolvedRuntime
from canarium.engine.apply.rejections import PATIENT, URGENT, Rejections
from canarium.kube import resources

KEY = ("risk", "fraud")
INPUTS = (1, ResolvedRuntime())
ROUTE = Rejection(ObjectRef("HTTPRoute", "fraud"), "no such field")


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
        rejections.add(KEY, INPUTS, ROUTE)
    clock.now += 1
    assert rejections.of(KEY, INPUTS) == (ROUTE,)
    rejections.set_urgent(KEY, True)
    assert rejections.of(KEY, INPUTS) == ()
    assert rejections.outdated(KEY)

    rejections.add(KEY, INPUTS, ROUTE)
    rejections.set_urgent(KEY, True)
    assert rejections.of(KEY, INPUTS) == (ROUTE,)
    assert not rejections.outdated(KEY)
    wait = rejections.next_try(KEY)
    assert wait is not None
    assert wait <= URGENT < PATIENT


# E3
@pytest.mark.rule("R29")
def test_rejection_is_over_with_the_next_successful_write_of_the_object() -> None:
    clock = Clock()
    rejections = Rejections(clock)
    for _ in range(8):
        rejections.add(KEY, INPUTS, ROUTE)
    clock.now += 1
    with rejections.guarding(KEY, resources.SERVICES, "fraud"):
        pass
    assert rejections.of(KEY, INPUTS) == (ROUTE,), "another object was written"
    with rejections.guarding(KEY, resources.HTTP_ROUTES, "fraud"):
        pass
    assert rejections.of(KEY, INPUTS) == ()
    assert rejections.outdated(KEY), "the decision is made again, without it"
    assert rejections.next_try(KEY) is None
