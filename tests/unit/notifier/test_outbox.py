"""What a sink has not received: every transition once, in order per model (R28)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from canarium.api.status.transition import KEPT
from canarium.core.times import stamp
from canarium.notifier.outbox import LIMIT, Outbox
from unit.notifier.notifications import BEGAN, model, number

rule = pytest.mark.rule
START = stamp(BEGAN)


def observe(outbox: Outbox, *numbers: int, uid: str = "u1") -> None:
    outbox.observe(uid, model(*numbers, uid=uid).notifications())


def take_all(outbox: Outbox, now: float = 0.0) -> list[int]:
    taken = []
    while found := outbox.take(now):
        taken.append(number(found))
        outbox.done(found)
    return taken


def test_what_happened_before_the_sink_existed_is_not_delivered() -> None:
    outbox = Outbox(stamp(BEGAN + 5), {})
    observe(outbox, 3, 5, 7)
    assert take_all(outbox) == [7]


@rule("R28")
def test_models_take_turns_and_each_has_one_in_flight() -> None:
    outbox = Outbox(START, {})
    observe(outbox, 1, 2, 3)
    observe(outbox, 4, 5, uid="u2")
    first, second = outbox.take(0), outbox.take(0)
    assert first is not None
    assert second is not None
    assert (number(first), number(second), outbox.take(0)) == (1, 4, None)
    outbox.done(second)
    third = outbox.take(0)
    assert third is not None
    assert number(third) == 5


@rule("R28")
def test_refused_one_blocks_its_own_model_until_its_time() -> None:
    outbox = Outbox(START, {})
    observe(outbox, 1, 2)
    refused = outbox.take(0)
    assert refused is not None
    outbox.failed(refused, 30.0)
    observe(outbox, 3, uid="u2")
    assert take_all(outbox, 10.0) == [3]
    assert outbox.next_retry(10.0) == 20.0
    assert take_all(outbox, 30.0) == [1, 2]


def test_number_of_undelivered_ones_is_bounded_and_the_oldest_are_dropped() -> None:
    outbox = Outbox(START, {})
    first = LIMIT + 10
    for number_ in range(1, first + 1):
        observe(outbox, number_)
        if number_ == 1:
            in_flight = outbox.take(0)
    assert in_flight is not None
    assert (len(outbox), outbox.overflowed) == (LIMIT, 10)
    outbox.done(in_flight)
    assert take_all(outbox) == list(range(12, first + 1))


def test_old_cursors_are_dropped_only_when_nothing_older_is_undelivered() -> None:
    outbox = Outbox(START, {"old": stamp(BEGAN + 10), "new": stamp(BEGAN + 90)})
    observe(outbox, 40, uid="late")
    outbox.forget_before(stamp(BEGAN + 60))
    assert outbox.since == START
    take_all(outbox)
    outbox.forget_before(stamp(BEGAN + 60))
    assert (outbox.since, set(outbox.delivered)) == (stamp(BEGAN + 60), {"new"})
    observe(outbox, 10, uid="old")
    observe(outbox, 40, uid="late")
    assert take_all(outbox) == []


@rule("R28")
def test_past_of_a_model_that_matches_only_now_is_not_delivered() -> None:
    outbox = Outbox(START, {})
    outbox.forget_before(stamp(BEGAN + 90 * 24 * 3600))
    observe(outbox, 10, uid="matches only now")
    assert take_all(outbox) == []


def test_time_of_the_sink_moves_once_an_hour() -> None:
    outbox, stored = Outbox(stamp(BEGAN), {}), set()
    for minute in range(180):
        outbox.forget_before(stamp(BEGAN + 60 * minute))
        stored.add(outbox.since)
    assert len(stored) <= 4


#: Steps of a story: transitions of a model, deliveries that succeed or fail, a restart.
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("happen"), st.sampled_from(["u1", "u2"])),
        st.tuples(st.sampled_from(["deliver", "refuse", "restart", "forget"]), st.just("")),
    ),
    max_size=60,
)


@rule("R28")
@given(_STEPS)
def test_every_transition_is_delivered_once_and_in_order_across_restarts(
    steps: list[tuple[str, str]],
) -> None:
    outbox, now = Outbox(START, {}), 0
    happened: dict[str, list[int]] = {"u1": [], "u2": []}
    received: dict[str, list[int]] = {"u1": [], "u2": []}

    def look() -> None:
        for uid, numbers in happened.items():
            # What the status keeps.
            observe(outbox, *numbers[-KEPT:], uid=uid)

    def deliver() -> bool:
        found = outbox.take(now)
        if found:
            received[found.uid].append(number(found))
            outbox.done(found)
        return found is not None

    for step, uid in steps:
        now += 1
        if step == "happen" and len(happened[uid]) - len(received[uid]) < KEPT:
            happened[uid].append(now)
            look()
        elif step == "deliver":
            deliver()
        elif step == "refuse" and (found := outbox.take(now)):
            outbox.failed(found, now + 1)
        elif step == "restart":
            outbox = Outbox(outbox.since, dict(outbox.delivered))
            look()
        elif step == "forget":
            outbox.forget_before(stamp(BEGAN + now - 1))
    now += 1
    while deliver():
        pass
    assert received == happened
