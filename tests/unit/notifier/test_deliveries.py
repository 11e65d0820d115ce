"""Delivery to one sink: retries, backoff, fairness (R28)."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from functools import wraps
from typing import Any

import pytest

from canarium.api.status.transition import KEPT
from canarium.core.times import stamp
from canarium.kube.clock import Timing
from canarium.notifier.deliveries import CONCURRENT, Deliveries
from canarium.notifier.metrics import NotifierMetrics
from canarium.notifier.notification import Notification
from canarium.notifier.outbox import Outbox
from canarium.notifier.sender import SendFailed
from canarium.notifier.settings import Sink
from simulation.clock import VirtualLoop
from unit.notifier.notifications import BEGAN, Receiver, model, number

rule = pytest.mark.rule


def virtual(story: Callable[[], Coroutine[Any, Any, None]]) -> Callable[[], None]:
    """Runs a test in virtual time, which begins ten seconds after the first transition."""

    @wraps(story)
    def run() -> None:
        loop = VirtualLoop()
        try:
            loop.run(story())
        finally:
            loop.close()

    # pytest would take the signature, and so the kind, of the wrapped function.
    del run.__wrapped__  # type: ignore[attr-defined]
    return run


def clock() -> float:
    return asyncio.get_running_loop().time()


class Case:
    def __init__(self, deliveries: Deliveries, metrics: NotifierMetrics) -> None:
        self.deliveries, self._metrics = deliveries, metrics

    def metric(self, name: str, **labels: str) -> float:
        found = self._metrics.registry.get_sample_value(name, {"sink": "s", **labels})
        return found or 0.0

    async def empty(self) -> None:
        async with asyncio.timeout(100_000):
            while len(self.deliveries.outbox):  # noqa: ASYNC110
                await asyncio.sleep(1)


@asynccontextmanager
async def delivering(
    receiver: Receiver, outbox: Outbox | None = None, **sink: object
) -> AsyncIterator[Case]:
    settings = Sink.model_validate({"name": "s", "cloudEvents": {"url": "http://receiver"}, **sink})
    metrics = NotifierMetrics()
    timing = Timing(now=lambda: BEGAN + 10 + clock(), clock=clock, chance=random.Random(0))
    outbox = Outbox(stamp(BEGAN), {}) if outbox is None else outbox
    deliveries = Deliveries(settings, receiver, outbox, metrics, timing)
    running = asyncio.create_task(deliveries.run())
    try:
        yield Case(deliveries, metrics)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


@rule("R28")
@virtual
async def test_all_are_delivered_in_order_per_model_and_a_few_at_once() -> None:
    receiver = Receiver()
    async with delivering(receiver) as case:
        for uid in "abcdefgh":
            case.deliveries.observe(model(1, 2, 3, uid=uid))
        await case.empty()
    for uid in "abcdefgh":
        assert [n for u, n in receiver.received if u == uid] == [1, 2, 3]
    assert receiver.most == CONCURRENT
    assert case.metric("canarium_notification_delay_seconds_count") == 24


@rule("R28")
@virtual
async def test_sink_that_is_down_receives_all_when_it_is_back_and_is_asked_ever_less() -> None:
    down = SendFailed("cannot reach the receiver")
    receiver = Receiver(lambda _: down if clock() < 600 else None)
    async with delivering(receiver) as case:
        case.deliveries.observe(model(1, 2, 3))
        case.deliveries.observe(model(4, uid="u2"))
        await case.empty()
    assert [n for u, n in receiver.received if u == "u1"] == [1, 2, 3]
    assert ("u2", 4) in receiver.received
    # Backoff doubles to five minutes; two models do not double the attempts.
    assert receiver.attempts - 4 < 30
    assert case.metric("canarium_notification_failures_total", reason="Unreachable") > 3


@rule("R28")
@virtual
async def test_refused_notification_delays_no_other_model() -> None:
    bad = SendFailed("the receiver answered 400: no", refused=True)
    receiver = Receiver(lambda n: bad if n.uid == "bad" else None)
    async with delivering(receiver, retryFor="1h") as case:
        case.deliveries.observe(model(1, 2, uid="bad"))
        case.deliveries.observe(model(1, 2, uid="good"))
        await asyncio.sleep(200)
        assert receiver.received == [("good", 1), ("good", 2)]
        # After its hour, it is dropped, and so is the next of that model.
        await case.empty()
    assert case.metric("canarium_notifications_dropped_total", reason="Expired") == 2


@rule("R28")
@virtual
async def test_notification_that_the_service_cannot_take_delays_no_other_model() -> None:
    bad = SendFailed("the service did not accept the notification")
    receiver = Receiver(lambda n: bad if n.uid == "bad" else None)
    waits: list[float] = []
    async with delivering(receiver) as case:
        case.deliveries.observe(model(1, uid="bad"))
        for index in range(1, 12):
            await asyncio.sleep(900)
            began = clock()
            case.deliveries.observe(model(index, uid="good"))
            while len(receiver.received) < index:  # noqa: ASYNC110
                await asyncio.sleep(0.1)
            waits.append(clock() - began)
    assert max(waits) < 1


@rule("R28")
@virtual
async def test_refused_notification_does_not_turn_the_failure_of_another_into_an_outage() -> None:
    refused = SendFailed("the receiver answered 400: no", refused=True)
    failures = {"refused": refused, "failing": SendFailed("not accepted")}
    receiver = Receiver(lambda n: failures.get(n.uid))
    async with delivering(receiver) as case:
        case.deliveries.observe(model(1, uid="refused"))
        await asyncio.sleep(1)
        case.deliveries.observe(model(1, uid="failing"))
        await asyncio.sleep(900)
        began = clock()
        case.deliveries.observe(model(1, uid="good"))
        while not receiver.received:  # noqa: ASYNC110
            await asyncio.sleep(0.1)
        assert clock() - began < 1


@virtual
async def test_retry_after_of_the_sink_is_respected() -> None:
    attempts: list[float] = []

    def limited(_: Notification) -> SendFailed | None:
        attempts.append(clock())
        return SendFailed("429", retry_after=500) if len(attempts) == 1 else None

    async with delivering(Receiver(limited)) as case:
        case.deliveries.observe(model(1))
        await case.empty()
    assert attempts[1] - attempts[0] >= 500


@virtual
async def test_only_what_matches_is_delivered() -> None:
    receiver = Receiver()
    match = {"namespaces": ["risk"], "labels": {"team": "fraud"}, "types": ["WeightInEffect"]}
    async with delivering(receiver, match=match) as case:
        case.deliveries.observe(model(1, uid="a", team="fraud"))
        case.deliveries.observe(model(1, uid="b", team="ads"))
        case.deliveries.observe(model(1, uid="c", namespace="ads", team="fraud"))
        case.deliveries.observe(model(2, uid="a", team="fraud"))
        await case.empty()
    assert receiver.received == [("a", 1), ("a", 2)]


@virtual
async def test_cancelled_delivery_is_not_counted_as_delivered() -> None:
    receiver = Receiver()
    async with delivering(receiver) as case:
        case.deliveries.observe(model(1))
        await asyncio.sleep(0.001)
    assert receiver.received == []
    assert case.deliveries.outbox.delivered == {}
    again = case.deliveries.outbox.take(0)
    assert again is not None
    assert number(again) == 1


@virtual
async def test_unexpected_error_holds_up_one_model_only() -> None:
    class Broken(Receiver):
        async def send(self, notification: Notification) -> None:
            if notification.uid == "bad" and self.attempts < 20:
                self.attempts += 1
                raise KeyError("s3cret")
            await super().send(notification)

    receiver = Broken()
    async with delivering(receiver) as case:
        case.deliveries.observe(model(1, uid="bad"))
        case.deliveries.observe(model(1, 2, uid="good"))
        await case.empty()
    assert receiver.received == [("good", 1), ("good", 2), ("bad", 1)]
    assert case.metric("canarium_notification_failures_total", reason="Refused") == 18


def restarted(before: Case) -> Outbox:
    """What the next notifier reads of the outbox."""
    stored = before.deliveries.outbox
    return Outbox(stored.since, dict(stored.delivered))


@rule("R28")
@virtual
async def test_what_a_restart_beside_a_sink_that_is_down_loses_is_counted_once() -> None:
    down = Receiver(lambda _: SendFailed("cannot reach the receiver"))
    numbers = range(1, KEPT + 5)
    async with delivering(down) as first:
        for number_ in numbers:
            first.deliveries.observe(model(*numbers[max(0, number_ - KEPT) : number_]))
        assert len(first.deliveries.outbox) == len(numbers)
    receiver, kept = Receiver(), model(*numbers[-KEPT:])
    async with delivering(receiver, restarted(first)) as case:
        case.deliveries.observe(kept)
        case.deliveries.observe(kept, kept)
        await case.empty()
    assert [n for _, n in receiver.received] == list(numbers[-KEPT:])
    assert case.metric("canarium_notifications_dropped_total", reason="Overflow") == 1


@rule("R28")
@virtual
async def test_gap_in_what_the_notifier_saw_is_counted() -> None:
    async with delivering(Receiver()) as case:
        case.deliveries.observe(model(1))
        case.deliveries.observe(model(*range(10, 10 + KEPT)), model(1))
        await case.empty()
    assert case.metric("canarium_notifications_dropped_total", reason="Overflow") == 1


@rule("R28")
@pytest.mark.parametrize(
    ("delivered", "last", "sink"),
    [
        (20, 20, {}),
        (20 - KEPT + 1, 20, {}),
        (0, KEPT - 1, {}),
        (0, 20, {"match": {"namespaces": ["ads"]}}),
        (0, 20, {"match": {"named": True}}),
    ],
    ids=["delivered", "one still in the status", "not full", "other namespace", "not named"],
)
def test_nothing_is_counted_as_lost_without_a_gap(
    delivered: int, last: int, sink: dict[str, object]
) -> None:
    async def story() -> None:
        outbox = Outbox(stamp(BEGAN), {"u1": stamp(BEGAN + delivered)})
        async with delivering(Receiver(), outbox, **sink) as case:
            case.deliveries.observe(model(*range(max(1, last - KEPT + 1), last + 1)))
            await case.empty()
        assert case.metric("canarium_notifications_dropped_total", reason="Overflow") == 0

    virtual(story)()


@rule("R28")
@virtual
async def test_long_story_of_other_types_counts_nothing_while_it_is_watched() -> None:
    async with delivering(Receiver(), match={"types": ["RolledBack"]}) as case:
        seen = model(1)
        case.deliveries.observe(seen)
        for number_ in range(2, 3 * KEPT):
            now = model(*range(max(1, number_ - KEPT + 1), number_ + 1))
            case.deliveries.observe(now, seen)
            seen = now
    assert case.metric("canarium_notifications_dropped_total", reason="Overflow") == 0
