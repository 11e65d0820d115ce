"""Requests in the background: how long they are repeated, and what the lines that they log name."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator

import pytest

from canarium.kube.clock import Timing
from canarium.sources.background import Attempt, Background
from canarium.sources.registries import Key
from canarium.telemetry import log_context
from simulation.clock import VirtualLoop

rule = pytest.mark.rule
KEY = ("risk", "fraud")


@pytest.mark.parametrize("name", ["fraud", "fraud/risk"])
async def test_lines_of_an_attempt_name_the_model_after_the_reconcile_has_ended(name: str) -> None:
    ended, logged = asyncio.Event(), asyncio.Event()
    fields: dict[str, str] = {}

    async def attempt(key: Key, request: str, number: int) -> Attempt[str]:
        await ended.wait()
        fields.update(log_context.current())
        logged.set()
        return Attempt("done")

    background = Background(attempt, lambda key, urgent: None, Timing())
    with log_context.reconciling("risk", "spam"):
        background.want(("risk", name), "request")
        await asyncio.sleep(0)
    ended.set()
    await asyncio.wait_for(logged.wait(), 5)
    await background.close()
    assert fields == {"namespace": "risk", "name": "fraud"}


class Failing:
    """Attempts that raise until the last one, in virtual time."""

    def __init__(self, *, failures: int) -> None:
        self.loop = VirtualLoop()
        self.failures = failures
        self.attempts: list[float] = []
        self.woken: list[Key] = []
        timing = Timing(clock=self.loop.time, sleep=asyncio.sleep)
        self.background = Background(
            self._attempt, lambda key, urgent: self.woken.append(key), timing
        )

    async def _attempt(self, key: Key, request: str, number: int) -> Attempt[str]:
        self.attempts.append(self.loop.time())
        if number <= self.failures:
            raise OverflowError("int too large to convert to float")
        return Attempt("done")

    def want(self, request: str = "request") -> None:
        async def wanted() -> None:
            self.background.want(KEY, request)

        self.loop.run(wanted())


@pytest.fixture
def failing(request: pytest.FixtureRequest) -> Iterator[Failing]:
    made = Failing(failures=request.param)
    yield made
    made.loop.run(made.background.close())
    made.loop.close()


@rule("R27", "R31")
@pytest.mark.parametrize("failing", [9], indirect=True)
def test_attempt_that_raises_is_logged_once_and_repeated_ever_less_often(
    failing: Failing, caplog: pytest.LogCaptureFixture
) -> None:
    failing.want()
    failing.loop.advance(600.0)
    assert failing.background.result(KEY) == "done"
    assert failing.woken == [KEY]
    gaps = [after - before for before, after in itertools.pairwise(failing.attempts)]
    longest = zip(gaps, (1, 2, 4, 8, 16, 32, 60, 60, 60), strict=True)
    assert all(limit / 2 <= gap <= limit + 0.001 for gap, limit in longest), gaps
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "OverflowError" in caplog.text


@rule("R27")
@pytest.mark.parametrize("failing", [1], indirect=True)
def test_attempts_that_were_stopped_are_started_again_when_they_are_wanted(
    failing: Failing,
) -> None:
    failing.want()
    failing.loop.advance(0.1)
    for task in asyncio.all_tasks(failing.loop):
        task.cancel()
    failing.loop.advance(600.0)
    assert failing.background.result(KEY) is None
    failing.failures = 0
    failing.want()
    failing.loop.advance(1.0)
    assert failing.background.result(KEY) == "done"
    failing.want()
    failing.loop.advance(600.0)
    assert len(failing.attempts) == 2, "the last attempt is not repeated"
