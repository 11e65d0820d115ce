"""A followed reference whose answers change again and again (R26, R31)."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest

from canarium.core.facts.resolution import Follow
from canarium.sources.flapping import (
    MOST_CHANGES,
    MOST_FORMER,
    PERIOD,
    QUIET,
    STEADY,
    Flapping,
    FormerReferences,
)
from canarium.sources.follower import CONFIRM_AFTER
from canarium.sources.shared_requests import Reference
from sources.followed import KEY, SharedReference

rule = pytest.mark.rule
SEVEN, EIGHT = "mlflow://fraud/7", "mlflow://fraud/8"
INTERVAL = 120.0
HOURS = 3 * 3600.0


class Rig(SharedReference):
    """A reference with a first version in effect; a rollout takes effect at once."""

    def __init__(self) -> None:
        super().__init__()
        self.answer = SEVEN
        self.in_effect = SEVEN
        self.interval = INTERVAL
        #: Another one after a retry, or after an edit of the spec.
        self.attempt = "1"
        #: When another result took effect.
        self.rollouts: list[float] = []
        #: The reason of the result after each request.
        self.reasons: list[str | None] = []

    def follow(self) -> None:
        self.want(KEY, Follow(self.interval, self.in_effect), attempt=self.attempt)

    def retry(self, after: float = 0.0) -> None:
        """Resolves again what is in effect, as for another spec; `after`: seconds until then."""
        self.loop.run(self._forget())
        self.loop.advance(after)
        self.attempt += "1"
        self.in_effect = self.answer
        follow = Follow(self.interval, self.in_effect)
        self.want(KEY, follow, first=self.in_effect, attempt=self.attempt)

    async def _forget(self) -> None:
        self.follower.forget(KEY)

    def until(self, end: float, answer: Callable[[], str]) -> None:
        """Lets time pass; each request has the next `answer`."""
        self.follow()
        while self.loop.time() < end:
            self.answer = answer()
            self.until_asked(1.0)
            found = self.follower.result(KEY)
            assert found
            self.reasons.append(found.reason)
            if (uri := self.confirmed(KEY)) and uri != self.in_effect:
                self.in_effect = uri
                self.rollouts.append(self.loop.time())
                self.follow()


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    made.close()


def by_chance() -> Callable[[], str]:
    """Answers as of two replicas, of which one lags behind."""
    chance = random.Random(3)
    return lambda: chance.choice((SEVEN, EIGHT))


def always_new() -> Callable[[], str]:
    numbers = iter(range(8, 100_000))
    return lambda: f"mlflow://fraud/{next(numbers)}"


@rule("R26", "R31")
@pytest.mark.parametrize(
    ("answer", "per_interval", "rollouts"),
    [(by_chance(), 2.5, MOST_CHANGES), (always_new(), 1.2, 0)],
    ids=["by-chance", "always-new"],
)
def test_reference_that_flaps_costs_few_requests_and_rollouts_and_is_reported(
    rig: Rig, answer: Callable[[], str], per_interval: float, rollouts: int
) -> None:
    rig.until(HOURS, answer)
    assert len(rig.asked) <= MOST_CHANGES + 2 * STEADY + per_interval * HOURS / INTERVAL
    noticed = rig.reasons.index("SourceFlapping")
    assert rig.asked[noticed] <= 2 * MOST_CHANGES * INTERVAL
    assert set(rig.reasons[noticed:]) == {"SourceFlapping"}, "the condition does not flap"
    assert len(rig.rollouts) <= rollouts
    assert all(at < rig.asked[noticed] for at in rig.rollouts)
    found = rig.follower.result(KEY)
    assert found
    assert "until 10 successive answers agree" in found.message


@rule("R26")
def test_reference_that_is_steady_again_is_rolled_out_soon(rig: Rig) -> None:
    rig.until(3600.0, always_new())
    began = rig.loop.time()
    rig.until(began + 2.2 * INTERVAL + QUIET, lambda: EIGHT)
    assert rig.in_effect == EIGHT
    assert rig.reasons[-1] is None


@rule("R26", "R31")
@pytest.mark.parametrize("minutes", [2, 3, 5, 7, 10])
def test_reference_that_two_pipelines_contend_for_is_not_steady_in_between(
    rig: Rig, minutes: int
) -> None:
    rig.until(2 * HOURS, lambda: (SEVEN, EIGHT)[int(rig.loop.time() / (60 * minutes)) % 2])
    assert len(rig.rollouts) <= MOST_CHANGES + 1
    assert set(rig.reasons[-50:]) == {"SourceFlapping"}
    quick = STEADY * 60 * 6 / minutes
    assert len(rig.asked) <= 2 * HOURS / INTERVAL * 1.2 + quick, "and costs few requests"


@rule("R26")
def test_models_that_join_with_one_answer_do_not_make_a_reference_steady(rig: Rig) -> None:
    rig.until(3600.0, always_new())
    for number in range(2 * STEADY):
        rig.want(("a", str(number)), Follow(INTERVAL, EIGHT), first=EIGHT)
    rig.answer = EIGHT
    rig.until_asked(1.0)
    found = rig.follower.result(KEY)
    assert found
    assert (found.reason, found.confirmed) == ("SourceFlapping", False)


@rule("R26")
def test_answers_of_models_that_join_count_only_where_they_differ() -> None:
    flapping = Flapping()
    flapping.note(SEVEN, 0.0)
    for second in range(STEADY):
        flapping.note_first(SEVEN, float(second))
    assert not flapping.agrees
    flapping.note_first(EIGHT, 60.0)
    assert flapping.has_changes


@rule("R26", "R31")
def test_retries_of_a_model_that_alone_follows_a_reference_do_not_end_its_flapping(
    rig: Rig,
) -> None:
    answer = by_chance()
    rig.until(HOURS, answer)
    before = len(rig.rollouts)
    for number in range(5):
        rig.retry(after=PERIOD * number / 5)
        result = rig.follower.result(KEY)
        assert result
        assert (result.uri, result.reason) == (rig.in_effect, "SourceFlapping")
        rig.until(rig.loop.time() + 1800.0, answer)
    assert rig.rollouts[before:] == []
    assert set(rig.reasons[-5 * 15 :]) == {"SourceFlapping"}


@rule("R26")
def test_changes_before_a_retry_and_the_answer_to_it_count(rig: Rig) -> None:
    numbers = always_new()
    rig.until(INTERVAL, lambda: SEVEN)
    for _ in range(MOST_CHANGES):
        rig.until(rig.loop.time() + 1.0, numbers)
    assert rig.reasons[-1] is None
    rig.answer = numbers()
    rig.retry()
    result = rig.follower.result(KEY)
    assert result
    assert result.reason == "SourceFlapping"


@rule("R26")
def test_reference_without_models_is_forgotten_after_an_hour(rig: Rig) -> None:
    rig.until(HOURS, by_chance())
    rig.retry(after=PERIOD + 1.0)
    result = rig.follower.result(KEY)
    assert result
    assert (result.uri, result.reason, result.confirmed) == (rig.in_effect, None, True)


def changed() -> Flapping:
    flapping = Flapping()
    flapping.note(SEVEN, 0.0)
    flapping.note(EIGHT, 0.0)
    return flapping


def remembers(former: FormerReferences, reference: Reference) -> bool:
    return former.take(reference, 2.0).has_changes


@rule("R31")
def test_number_of_remembered_references_without_models_is_bounded() -> None:
    former = FormerReferences()
    left = [Reference("a", str(number), "", None) for number in range(MOST_FORMER + 1)]
    for reference in left:
        former.keep(reference, changed(), 1.0)
    steady = Reference("a", "steady", "", None)
    former.keep(steady, Flapping(), 1.0)
    assert not remembers(former, steady), "it has no changes to remember"
    assert [remembers(former, one) for one in left] == [False] + [True] * MOST_FORMER


@rule("R31")
def test_references_of_one_namespace_do_not_displace_those_of_another() -> None:
    former = FormerReferences()
    first, second = (Reference(name, "mlflow://fraud@champion", "", None) for name in ("a", "c"))
    many = [Reference("b", str(number), "", None) for number in range(2 * MOST_FORMER)]
    former.keep(first, changed(), 1.0)
    for reference in many:
        former.keep(reference, changed(), 1.0)
    former.keep(second, changed(), 1.0)
    assert remembers(former, first)
    assert remembers(former, second)
    assert [one for one in many if remembers(former, one)] == many[-(MOST_FORMER - 2) :]


@rule("R26")
def test_reference_that_moves_three_times_in_ten_seconds_is_rolled_out_once(rig: Rig) -> None:
    """A pipeline, its correction, and a second correction, each of which a webhook reports."""
    rig.until(3 * INTERVAL, lambda: SEVEN)
    for number in (8, 9, 10):
        rig.answer = f"mlflow://fraud/{number}"
        rig.want(KEY, Follow(INTERVAL, SEVEN, token=str(number)))
        rig.loop.advance(3.0)
        assert rig.confirmed(KEY) in (None, SEVEN)
    rig.loop.advance(3 * CONFIRM_AFTER)
    assert rig.confirmed(KEY) == "mlflow://fraud/10"


@rule("R26")
def test_reference_that_moves_every_half_hour_is_rolled_out_each_time(rig: Rig) -> None:
    for number in range(8, 18):
        now = f"mlflow://fraud/{number}"
        rig.until(rig.loop.time() + 1800.0, lambda now=now: now)  # type: ignore[misc]
        assert rig.in_effect == now
    assert set(rig.reasons) == {None}


@rule("R26")
def test_reference_that_moves_every_two_hours_is_rolled_out_each_time_beside_a_long_interval(
    rig: Rig,
) -> None:
    """Too few requests lie between two moves for ten successive answers to agree."""
    rig.interval = 3600.0
    for number in range(8, 18):
        now = f"mlflow://fraud/{number}"
        rig.until(rig.loop.time() + 7200.0, lambda now=now: now)  # type: ignore[misc]
        assert rig.in_effect == now
    assert set(rig.reasons) == {None}
