"""What counts for a model that joins others in following a reference (R26), and postponed polls."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from canarium.core.facts.resolution import Follow
from canarium.sources.follower import CONFIRM_AFTER
from sources.followed import KEY, SharedReference

rule = pytest.mark.rule
EIGHT, NINE = "mlflow://fraud/8", "mlflow://fraud/9"
OTHER, THIRD = ("a", "other"), ("a", "third")
HOUR = 3600.0


@pytest.fixture
def rig() -> Iterator[SharedReference]:
    made = SharedReference()
    yield made
    made.close()


@pytest.fixture
def polled(rig: SharedReference) -> SharedReference:
    """A reference that another model has followed for hours, and that named version 8."""
    rig.answer = EIGHT
    rig.want(OTHER, Follow(HOUR, EIGHT))
    rig.until_asked(10.0)
    rig.until_asked(10.0)
    rig.loop.advance(HOUR / 2)
    assert rig.confirmed(OTHER) == EIGHT
    return rig


@rule("R26")
def test_retry_that_resolved_a_newer_version_is_not_withdrawn_by_an_older_answer(
    polled: SharedReference,
) -> None:
    """Version 8 is quarantined, the alias has moved to 9, and the retry resolved that. A replica
    of the registry still answers 8."""
    polled.want(KEY, Follow(HOUR, NINE), first=NINE, attempt="2")
    assert polled.confirmed(KEY) == NINE
    seen = len(polled.asked)
    polled.until_asked()
    assert polled.confirmed(KEY) is None, "the answers 9 and 8 do not agree"
    polled.answer = NINE
    polled.loop.advance(2 * CONFIRM_AFTER + 2.0)
    assert len(polled.asked) > seen
    assert polled.confirmed(KEY) == NINE


@rule("R26")
def test_older_answers_confirm_nothing_for_a_model_that_joins_without_a_result(
    polled: SharedReference,
) -> None:
    polled.answer = NINE
    polled.want(KEY, Follow(HOUR, NINE))
    found = polled.follower.result(KEY)
    assert found
    assert (found.uri, found.confirmed) == (EIGHT, False)
    joined = polled.loop.time()
    polled.until_asked()
    assert polled.asked[-1] - joined <= CONFIRM_AFTER + 1.0
    assert polled.confirmed(KEY) == NINE


@rule("R26")
def test_model_that_joins_needs_two_later_answers(polled: SharedReference) -> None:
    """The version in effect is another one: the last answers agreed before the model joined."""
    polled.want(KEY, Follow(HOUR, NINE))
    polled.until_asked()
    assert polled.confirmed(KEY) is None
    assert polled.confirmed(OTHER) == EIGHT
    polled.loop.advance(CONFIRM_AFTER + 1.1)
    assert polled.confirmed(KEY) == EIGHT


@rule("R26")
def test_answer_to_a_request_from_before_the_model_joined_does_not_count(
    polled: SharedReference,
) -> None:
    polled.takes = 60.0
    polled.until_asked()
    polled.want(KEY, Follow(HOUR, NINE))
    polled.takes = 0.0
    polled.loop.advance(60.0)
    assert polled.confirmed(KEY) is None
    polled.until_asked()
    assert polled.confirmed(KEY) is None, "the first that counts"
    polled.until_asked()
    assert polled.confirmed(KEY) == EIGHT
    first, second, third = polled.asked[-3:]
    assert second - first <= 60.0 + CONFIRM_AFTER + 1.0
    assert third - second <= CONFIRM_AFTER + 1.0


@rule("R26")
def test_result_in_effect_is_confirmed_at_once_and_asks_nothing(polled: SharedReference) -> None:
    seen = len(polled.asked)
    polled.want(KEY, Follow(HOUR, EIGHT))
    polled.want(THIRD, Follow(HOUR, EIGHT), first=EIGHT)
    assert (polled.confirmed(KEY), polled.confirmed(THIRD)) == (EIGHT, EIGHT)
    polled.loop.advance(60.0)
    assert len(polled.asked) == seen


@rule("R26")
def test_newer_result_of_one_model_is_the_first_of_two_for_the_others(
    polled: SharedReference,
) -> None:
    polled.answer = NINE
    polled.want(KEY, Follow(HOUR, NINE), first=NINE)
    joined = polled.loop.time()
    polled.until_asked()
    assert polled.asked[-1] - joined <= CONFIRM_AFTER + 1.0
    assert (polled.confirmed(KEY), polled.confirmed(OTHER)) == (NINE, NINE)


@rule("R26")
def test_newer_result_of_one_model_parts_two_older_answers(rig: SharedReference) -> None:
    """8, then 9 for the record of another model, then 8: a registry that flaps."""
    rig.answer = EIGHT
    rig.want(OTHER, Follow(HOUR, NINE))
    rig.until_asked()
    rig.want(KEY, Follow(HOUR, NINE), first=NINE)
    rig.until_asked()
    assert rig.confirmed(OTHER) is None


@rule("R26", "R31")
def test_registry_that_limits_requests_is_not_polled_until_then(polled: SharedReference) -> None:
    follow = Follow(120.0, EIGHT)
    polled.want(KEY, follow)
    polled.until_asked()
    polled.limited = polled.loop.time() + 500.0
    seen, limited = len(polled.asked), polled.limited
    polled.want(KEY, Follow(120.0, EIGHT, token="now"))
    polled.loop.advance(499.0)
    assert len(polled.asked) == seen
    assert polled.confirmed(KEY) == EIGHT, "a result that is there remains"
    polled.until_asked()
    assert limited <= polled.asked[-1] <= limited + 0.1 * 120.0 + 1.0


@rule("R26", "R31")
def test_request_that_waits_for_its_turn_respects_the_limit(polled: SharedReference) -> None:
    """Another reference of the same registry met the limit meanwhile."""
    seen = len(polled.asked)
    polled.want(KEY, Follow(120.0, EIGHT, token="1"))

    calls = 0

    def wait_left(namespace: str, request: object) -> float:
        nonlocal calls
        calls += 1
        return 300.0 if calls == 2 else 0.0

    polled.follower._wait_left = wait_left
    polled.loop.advance(299.0)
    assert calls == 2
    assert len(polled.asked) == seen
    polled.until_asked()
    assert calls == 4
