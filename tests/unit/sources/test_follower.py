"""When the registry is asked about a followed reference, and when its result counts (R26, R31)."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import Iterator
from dataclasses import replace

import pytest

from canarium.core.facts.resolution import Follow, Resolution, ResolveRequest
from canarium.kube.clock import Timing
from canarium.sources.follower import CONFIRM_AFTER, LEAST, PER_SECOND, SHARE, Follower
from simulation.clock import VirtualLoop

rule = pytest.mark.rule
KEY = ("a", "fraud")
REQUEST = ResolveRequest("mlflow://fraud@champion", "https://mlflow.example", None, "1")
SEVEN, EIGHT = "mlflow://fraud/7", "mlflow://fraud/8"
FOLLOW = Follow(120.0, SEVEN)


class Rig:
    """A follower in virtual time, and a registry that answers all models alike."""

    def __init__(self) -> None:
        self.loop = VirtualLoop()
        self.answer: str | None = SEVEN
        self.takes = 0.0
        #: Namespaces whose registry takes other seconds.
        self.slow: dict[str, float] = {}
        self.failures = 0
        self.asked: list[tuple[float, tuple[str, str]]] = []
        self.woken: list[float] = []
        self.follower = self.restarted()

    def restarted(self) -> Follower:
        timing = Timing(clock=self.loop.time, sleep=asyncio.sleep, chance=random.Random(7))
        self.follower = Follower(self._resolve, lambda key, urgent: self._wake(), timing)
        return self.follower

    def _wake(self) -> None:
        self.woken.append(self.loop.time())

    async def _resolve(self, key: tuple[str, str], request: ResolveRequest) -> Resolution:
        self.asked.append((self.loop.time(), key))
        answer = self.answer
        if self.failures:
            self.failures -= 1
            raise KeyError("version")
        await asyncio.sleep(self.slow.get(key[0], self.takes))
        if answer is None:
            return Resolution(request, reason="SourceUnavailable", message="no route")
        return Resolution(request, answer)

    def want(
        self,
        follow: Follow = FOLLOW,
        key: tuple[str, str] = KEY,
        request: ResolveRequest | None = None,
    ) -> None:
        """Each model follows another reference, unless `request` names one."""
        own = replace(REQUEST, uri=f"mlflow://{key[1]}@champion")

        async def wanted() -> None:
            self.follower.want(key, request or own, follow)

        self.loop.run(wanted())

    def times(self) -> list[float]:
        return [at for at, _ in self.asked]

    @property
    def confirmed(self) -> str | None:
        return self.confirmed_of(KEY)

    def confirmed_of(self, key: tuple[str, str]) -> str | None:
        found = self.follower.result(key)
        return found.uri if found and found.confirmed else None


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    made.loop.run(made.follower.close())
    made.loop.close()


@rule("R26")
def test_registry_is_asked_once_per_interval_and_wakes_nothing_while_the_result_stays(
    rig: Rig,
) -> None:
    rig.want()
    rig.loop.advance(3600.0)
    times = rig.times()
    assert times[0] <= 1.1 * FOLLOW.interval
    gaps = [after - before for before, after in itertools.pairwise(times)]
    # One second of tolerance: what is due is checked once per second.
    assert all(0.9 * FOLLOW.interval <= gap <= 1.1 * FOLLOW.interval + 1.0 for gap in gaps)
    assert len(set(gaps)) > 10, "each interval differs"
    assert len(rig.woken) == 1


@rule("R26")
def test_new_result_counts_once_two_successive_answers_agree(rig: Rig) -> None:
    rig.want()
    rig.loop.advance(200.0)
    rig.answer, seen = EIGHT, len(rig.asked)
    while len(rig.asked) == seen:
        rig.loop.advance(0.5)
    assert rig.confirmed is None
    first = rig.times()[-1]
    rig.loop.advance(CONFIRM_AFTER + 1.1)
    assert rig.confirmed == EIGHT
    assert CONFIRM_AFTER <= rig.times()[-1] - first <= CONFIRM_AFTER + 1.0
    rig.want(replace(FOLLOW, in_effect=EIGHT))
    woken = len(rig.woken)
    rig.loop.advance(1200.0)
    assert len(rig.woken) == woken


@rule("R26")
def test_result_that_flaps_never_counts(rig: Rig) -> None:
    rig.want()
    rig.loop.advance(130.0)
    for number in range(40):
        rig.answer, seen = f"mlflow://fraud/{8 + number}", len(rig.asked)
        while len(rig.asked) == seen:
            rig.loop.advance(0.5)
        assert rig.confirmed is None
    rig.answer = SEVEN
    rig.loop.advance(1.2 * FOLLOW.interval)
    assert rig.confirmed == SEVEN, "that one is in effect"


@rule("R26", "R31")
def test_registry_that_is_away_is_asked_ever_less_often_up_to_the_interval(rig: Rig) -> None:
    rig.want()
    rig.loop.advance(130.0)
    rig.answer = None
    rig.loop.advance(7200.0)
    found = rig.follower.result(KEY)
    assert found
    assert (found.uri, found.reason) == (None, "SourceUnavailable")
    times = [at for at in rig.times() if at > 130.0]
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert 5.0 <= gaps[0] <= 11.0
    assert all(gap <= FOLLOW.interval + 1.0 for gap in gaps)
    assert gaps[-1] >= FOLLOW.interval / 2
    rig.answer = SEVEN
    rig.loop.advance(FOLLOW.interval + 1.0)
    assert rig.confirmed == SEVEN


@rule("R26")
def test_error_between_two_answers_that_agree_changes_nothing(rig: Rig) -> None:
    rig.want()
    rig.loop.advance(130.0)
    rig.answer, seen = EIGHT, len(rig.asked)
    while len(rig.asked) == seen:
        rig.loop.advance(0.5)
    rig.answer = None
    rig.loop.advance(CONFIRM_AFTER + 1.1)
    rig.answer = EIGHT
    rig.loop.advance(12.0)
    assert rig.confirmed == EIGHT


@rule("R26")
def test_changed_annotation_makes_it_ask_now_but_not_more_often_than_allowed(rig: Rig) -> None:
    rig.want()
    rig.loop.advance(200.0)
    rig.loop.advance(LEAST)
    seen = len(rig.asked)
    rig.want(replace(FOLLOW, token="0"))
    rig.loop.advance(1.1)
    assert len(rig.asked) == seen + 1
    for token in range(1, 400):
        rig.want(replace(FOLLOW, token=str(token)))
        rig.loop.advance(0.1)
    sent = rig.times()[seen:]
    assert all(b - a >= LEAST for a, b in itertools.pairwise(sent))
    assert 6 <= len(sent) <= 9


@rule("R26")
def test_annotation_that_changes_during_a_request_causes_another_one(rig: Rig) -> None:
    rig.takes = 3.0
    rig.want()
    while not rig.asked:
        rig.loop.advance(0.5)
    rig.answer = EIGHT
    rig.want(replace(FOLLOW, token="x"))
    rig.loop.advance(3.0 + LEAST + 1.1)
    assert len(rig.asked) == 2


@rule("R18", "R26")
def test_new_leader_asks_within_the_interval_with_any_annotation(rig: Rig) -> None:
    rig.want(replace(FOLLOW, token="old"))
    rig.loop.advance(130.0)
    rig.loop.run(rig.follower.close())
    rig.restarted()
    rig.asked.clear()
    rig.answer = EIGHT
    rig.want(replace(FOLLOW, token="old"))
    rig.loop.advance(5.0)
    assert not rig.asked, "a thousand models would all ask at once"
    rig.loop.advance(1.1 * FOLLOW.interval + CONFIRM_AFTER)
    assert rig.confirmed == EIGHT


@rule("R26", "R31")
def test_thousand_models_send_thirty_requests_per_hour_each(rig: Rig) -> None:
    for number in range(1000):
        rig.want(key=("a", str(number)))
    rig.loop.advance(1200.0)
    per_hour = len(rig.asked) / 1000 / (1200.0 / 3600.0)
    assert 27 <= per_hour <= 31
    busiest = max(_within_a_second(rig.times()))
    assert busiest <= PER_SECOND + 1


@rule("R31")
def test_more_models_than_allowed_ask_less_often_and_slow_answers_are_bounded(
    rig: Rig,
) -> None:
    rig.takes = 20.0
    for number in range(300):
        rig.want(Follow(30.0, SEVEN), key=("a", str(number)))
    rig.loop.advance(1200.0)
    ends = [at + rig.takes for at in rig.times()]
    under_way = [sum(a <= at < b for a, b in zip(rig.times(), ends, strict=True)) for at in ends]
    assert max(under_way) == SHARE
    assert {key for _, key in rig.asked} == {("a", str(number)) for number in range(300)}


@rule("R31")
@pytest.mark.parametrize("hostile", [1, pytest.param(20, marks=pytest.mark.slow)])
def test_registries_that_hang_do_not_delay_the_requests_of_another_namespace(
    rig: Rig, hostile: int
) -> None:
    """500 models whose requests each take until the timeout; all are due all the time."""
    every = Follow(30.0, SEVEN)
    rig.slow = {f"evil-{number}": 10.0 for number in range(hostile)}
    for number in range(500):
        rig.want(every, key=(f"evil-{number % hostile}", str(number)))
    rig.want(every, key=("good", "fraud"))
    rig.loop.advance(1800.0)
    good = [at for at, key in rig.asked if key[0] == "good"]
    assert len(good) >= 55
    longest = max(after - before for before, after in itertools.pairwise(good))
    # One request of each other namespace precedes it.
    assert longest <= 33.0 + 1.0 + hostile / PER_SECOND


@rule("R26")
def test_reference_is_followed_on_after_an_unexpected_exception(
    rig: Rig, caplog: pytest.LogCaptureFixture
) -> None:
    rig.failures = 2
    rig.want()
    rig.loop.advance(3 * FOLLOW.interval)
    assert rig.confirmed == SEVEN
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "KeyError" in caplog.text


@rule("R26")
def test_annotation_that_changes_while_a_request_waits_causes_no_other_one(rig: Rig) -> None:
    rig.takes, rarely = 60.0, Follow(86_400.0, SEVEN)
    others = [("a", str(number)) for number in range(SHARE)]
    for key in (*others, KEY):
        rig.want(rarely, key)
    for key in others:
        rig.want(replace(rarely, token="1"), key)
    rig.loop.advance(3.0)
    assert [key for _, key in rig.asked] == others
    rig.takes = 0.0
    for token in ("1", "2"):
        rig.want(replace(rarely, token=token))
        rig.loop.advance(2.0)
    assert len(rig.asked) == SHARE, "it waits for its turn"
    rig.loop.advance(60.0 + LEAST + 2.0)
    assert [key for _, key in rig.asked].count(KEY) == 1


@rule("R26")
def test_shorter_interval_takes_effect_at_once_and_a_forgotten_model_asks_nothing(
    rig: Rig,
) -> None:
    rig.want(Follow(86_400.0, SEVEN))
    rig.want(Follow(30.0, SEVEN))
    rig.loop.advance(35.0)
    assert len(rig.asked) == 1
    rig.follower.forget(KEY)
    rig.loop.advance(300.0)
    assert len(rig.asked) == 1
    assert rig.follower.result(KEY) is None


@rule("R26")
def test_answer_that_a_record_needed_counts_as_the_first(rig: Rig) -> None:
    first = Resolution(REQUEST, SEVEN)

    async def wanted() -> None:
        rig.follower.want(KEY, REQUEST, FOLLOW, first)

    rig.loop.run(wanted())
    assert rig.confirmed == SEVEN
    rig.loop.advance(0.85 * FOLLOW.interval)
    assert not rig.asked


@rule("R26", "R31")
def test_thousand_models_that_follow_one_reference_cost_thirty_requests_per_hour(rig: Rig) -> None:
    """Each has its own spec, and its own revision in effect."""
    keys = [("a", str(number)) for number in range(1000)]
    for number, key in enumerate(keys):
        rig.want(key=key, request=replace(REQUEST, attempt=key[1]))
        if number % 10 == 0:
            rig.loop.advance(0.5)
    rig.loop.advance(3600.0 - 50.0)
    assert 28 <= len(rig.asked) <= 34
    assert {rig.confirmed_of(key) for key in keys} == {SEVEN}

    rig.answer, seen = EIGHT, len(rig.asked)
    rig.loop.advance(1.1 * FOLLOW.interval + CONFIRM_AFTER + 2.0)
    assert {rig.confirmed_of(key) for key in keys} == {EIGHT}
    assert len(rig.asked) - seen <= 3
    found = rig.follower.result(keys[7])
    assert found
    assert found.request.attempt == "7"


@rule("R26", "R31")
@pytest.mark.parametrize(
    ("key", "change"),
    [
        (("b", "fraud"), {}),
        (("a", "spam"), {"uri": "mlflow://fraud@challenger"}),
        (("a", "spam"), {"endpoint": "https://other.example"}),
        (("a", "spam"), {"secret": "other"}),
    ],
)
def test_other_namespace_reference_endpoint_or_secret_has_its_own_request(
    rig: Rig, key: tuple[str, str], change: dict[str, str]
) -> None:
    rig.want(request=REQUEST)
    rig.want(key=key, request=replace(REQUEST, **change))
    rig.loop.advance(1.2 * FOLLOW.interval)
    assert {asked for _, asked in rig.asked} == {KEY, key}


@rule("R26")
def test_models_that_share_a_reference_each_confirm_what_is_new_to_them(rig: Rig) -> None:
    """One model is paused at the old version; the answer is confirmed for the other one at once."""
    other = ("a", "spam")
    rig.want(request=REQUEST)
    rig.want(Follow(120.0, EIGHT), other, REQUEST)
    rig.answer = EIGHT
    while not rig.asked:
        rig.loop.advance(0.5)
    assert (rig.confirmed, rig.confirmed_of(other)) == (None, EIGHT)
    rig.loop.advance(CONFIRM_AFTER + 1.1)
    assert (rig.confirmed, rig.confirmed_of(other)) == (EIGHT, EIGHT)


@rule("R26")
def test_shared_reference_is_asked_at_the_shortest_interval_until_its_model_leaves(
    rig: Rig,
) -> None:
    quick = ("a", "quick")
    rig.want(Follow(86_400.0, SEVEN), request=REQUEST)
    rig.want(Follow(30.0, SEVEN), quick, REQUEST)
    rig.loop.advance(600.0)
    assert 17 <= len(rig.asked) <= 24
    assert rig.confirmed == SEVEN
    rig.follower.forget(quick)
    seen = len(rig.asked)
    rig.loop.advance(3600.0)
    assert len(rig.asked) - seen <= 1
    rig.want(Follow(86_400.0, SEVEN), ("a", "late"), REQUEST)
    assert rig.confirmed_of(("a", "late")) == SEVEN, "the last answer is valid for it"
    rig.follower.forget(KEY)
    rig.follower.forget(("a", "late"))
    rig.loop.advance(86_400.0 * 2)
    assert len(rig.asked) - seen <= 1


def _within_a_second(times: list[float]) -> list[int]:
    return [sum(at <= other < at + 1.0 for other in times) for at in times[::50]]
