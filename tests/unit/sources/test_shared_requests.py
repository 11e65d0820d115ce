"""How many requests first results of references cost, and which models share one (R26, R31)."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace

import pytest

from canarium.core.facts.resolution import Follow, Resolution, ResolveRequest
from canarium.kube.clock import Timing
from canarium.sources.resolver import SourceResolver
from canarium.sources.shared_requests import MOST_AGE, PER_SECOND, SHARE
from simulation.clock import VirtualLoop

rule = pytest.mark.rule
REQUEST = ResolveRequest("hf://o/m@main", "", None, "1")


class Rig:
    """A resolver in virtual time, and a registry that takes a second for an answer."""

    def __init__(self) -> None:
        self.loop = VirtualLoop()
        self.answer: str | None = "hf://o/m@1"
        self.takes = 1.0
        self.asked: list[tuple[float, str, str]] = []
        timing = Timing(clock=self.loop.time, sleep=asyncio.sleep)
        self.resolver = SourceResolver(self, lambda key, urgent: None, timing)

    async def resolve(self, key: tuple[str, str], request: ResolveRequest) -> Resolution:
        self.asked.append((self.loop.time(), key[0], request.uri))
        answer = self.answer
        await asyncio.sleep(self.takes)
        if answer is None:
            return Resolution(request, reason="SourceUnavailable", message="no route")
        return Resolution(request, answer)

    def wait_left(self, namespace: str, request: ResolveRequest) -> float:
        return 0.0

    def forget(self, key: tuple[str, str]) -> None:
        pass

    def want(self, key: tuple[str, str], request: ResolveRequest) -> None:
        async def wanted() -> None:
            self.resolver.want(key, request)

        self.loop.run(wanted())

    def uri(self, key: tuple[str, str]) -> str | None:
        found = self.resolver.result(key)
        return found.uri if found else None


@pytest.fixture
def rig() -> Iterator[Rig]:
    made = Rig()
    yield made
    made.loop.run(made.resolver.close())
    # The end of the wait for the rate.
    made.loop.advance(0.1)
    made.loop.close()


@rule("R26", "R31")
def test_thousand_models_created_with_one_reference_share_its_requests(rig: Rig) -> None:
    keys = [("a", str(number)) for number in range(1000)]

    async def wanted() -> None:
        for key in keys:
            rig.resolver.want(key, replace(REQUEST, attempt=key[1]))

    rig.loop.run(wanted())
    rig.loop.advance(5.0)
    assert len(rig.asked) == 1
    assert {rig.uri(key) for key in keys} == {"hf://o/m@1"}
    found = rig.resolver.result(keys[7])
    assert found
    assert found.request.attempt == "7"


@rule("R26")
def test_request_that_was_sent_is_not_shared_with_a_model_that_asks_later(rig: Rig) -> None:
    """A tag that is pushed before a spec is applied must be what the spec gets."""
    rig.want(("a", "early"), REQUEST)
    rig.loop.advance(0.5)
    rig.answer = "hf://o/m@2"
    rig.want(("a", "late"), REQUEST)
    rig.loop.advance(3.0)
    assert rig.uri(("a", "early")) == "hf://o/m@1"
    assert rig.uri(("a", "late")) == "hf://o/m@2"


@rule("R31")
def test_requests_of_a_thousand_references_are_bounded_per_second_and_at_once(rig: Rig) -> None:
    rig.takes = 0.2
    for number in range(1000):
        rig.want(("a", str(number)), replace(REQUEST, uri=f"hf://o/{number}@main"))
    rig.want(("good", "fraud"), REQUEST)
    rig.loop.advance(2.0)
    assert rig.uri(("good", "fraud")), "no other namespace waits"
    rig.loop.advance(200.0)
    assert {uri for _, _, uri in rig.asked} >= {f"hf://o/{number}@main" for number in range(1000)}
    times = [at for at, _, _ in rig.asked]
    assert max(sum(at <= other < at + 1.0 for other in times) for at in times) <= 2 * PER_SECOND
    rate = (len(times) - PER_SECOND) / (times[-1] - times[0])
    assert rate <= PER_SECOND + 1
    under_way = max(sum(a <= at < a + rig.takes for a in times) for at in times)
    assert under_way <= SHARE + 1


@rule("R31")
def test_registry_that_is_away_is_not_flooded_by_models_that_wait_for_it(rig: Rig) -> None:
    rig.answer, rig.takes = None, 0.1
    for number in range(1000):
        rig.want(("a", str(number)), replace(REQUEST, uri=f"hf://o/{number}@main"))
    rig.loop.advance(100.0)
    times = [at for at, _, _ in rig.asked]
    assert 1000 < len(times) <= PER_SECOND * 101
    rig.asked.clear()
    for number in range(1000):
        rig.want(("a", str(number)), replace(REQUEST, attempt=str(number)))
    rig.loop.advance(600.0)
    assert {uri for at, _, uri in rig.asked if at > 101.0} == {REQUEST.uri}, "no other is wanted"
    assert len(rig.asked) <= 600 / MOST_AGE + 20
    rig.answer = "hf://o/m@1"
    rig.loop.advance(30.0 + MOST_AGE + 1.0)
    assert {rig.uri(("a", str(number))) for number in range(1000)} == {"hf://o/m@1"}


@rule("R26")
def test_model_that_is_deleted_while_its_request_waits_ends_no_request_of_others(rig: Rig) -> None:
    for name in ("first", "second"):
        rig.want(("a", name), REQUEST)
    rig.resolver.forget(("a", "first"))
    rig.loop.advance(3.0)
    assert rig.uri(("a", "second")) == "hf://o/m@1"


@rule("R26", "R31")
def test_new_model_precedes_the_repetitions_of_models_whose_registry_hangs(rig: Rig) -> None:
    """Each of 300 references of its namespace costs ten seconds, and is asked about ever again."""
    rig.answer, rig.takes = None, 10.0
    for number in range(300):
        rig.want(("a", str(number)), replace(REQUEST, uri=f"hf://o/{number}@main"))
    rig.loop.advance(500.0)
    began = rig.loop.time()
    rig.want(("a", "new"), REQUEST)
    rig.loop.advance(11.0)
    [sent] = [at for at, _, uri in rig.asked if uri == REQUEST.uri]
    assert sent - began <= 10.0, "as soon as one of those under way has ended"


@rule("R26")
def test_first_attempt_does_not_wait_with_a_repetition_of_the_same_reference(rig: Rig) -> None:
    rig.answer, rig.takes = None, 10.0
    rig.want(("a", "old"), REQUEST)
    for number in range(300):
        rig.want(("a", str(number)), replace(REQUEST, uri=f"hf://o/{number}@main"))
    rig.loop.advance(500.0)
    began = rig.loop.time()
    rig.want(("a", "new"), REQUEST)
    rig.loop.advance(11.0)
    assert any(at >= began for at, _, uri in rig.asked if uri == REQUEST.uri)


@rule("R26", "R31")
def test_polls_of_followed_references_delay_no_first_result(rig: Rig) -> None:
    """A namespace whose 500 followed references hang has all its polls under way."""
    rig.takes = 10.0

    async def followed() -> None:
        for number in range(500):
            request = replace(REQUEST, uri=f"hf://o/{number}@main")
            rig.resolver.want(("a", str(number)), request, Follow(30.0, "hf://o/m@1"))

    rig.loop.run(followed())
    rig.loop.advance(120.0)
    began, rig.takes = rig.loop.time(), 0.1
    rig.want(("a", "new"), REQUEST)
    rig.loop.advance(1.0)
    assert rig.uri(("a", "new")) == "hf://o/m@1"
    assert next(at for at, _, uri in rig.asked if uri == REQUEST.uri) - began < 0.1
