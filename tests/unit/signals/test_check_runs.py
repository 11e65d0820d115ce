"""Checks that are slow delay no other check, and no rollback."""

from __future__ import annotations

import asyncio

import pytest

from canarium.api.effective_analysis import EffectiveAnalysis, EffectiveCheck, effective_analysis
from canarium.api.model_deployment import Rollout
from canarium.core.evidence.verdict import Finding, OnFailure, Verdict
from canarium.signals.check_runs import CheckRun, CheckRuns

pytestmark = pytest.mark.rule("R8", "R17", "R31")
#: Seconds that a test waits at most for what happens at once.
PATIENCE = 20.0


def analysis(failure_limit: int = 0, maximum: float = 0.1) -> EffectiveAnalysis:
    checks = [
        {
            "name": "errors",
            "metric": "ErrorRate",
            "max": str(maximum),
            "failureLimit": failure_limit,
        },
        {"name": "replay", "metric": "LatencyP99", "max": "1"},
    ]
    rollout = Rollout.model_validate({"analysis": {"interval": "5s", "checks": checks}})
    assert rollout.analysis
    return effective_analysis(rollout.analysis)


class Sources:
    """Answers about `errors` at once with `verdict`, and about `replay` when it is released."""

    def __init__(self) -> None:
        self.verdict = Verdict.FAIL
        self.released = asyncio.Event()
        self.asked: list[str] = []

    async def evaluate(self, check: EffectiveCheck) -> Finding:
        self.asked.append(check.name)
        if check.name == "replay":
            await self.released.wait()
        verdict = self.verdict if check.name == "errors" else Verdict.PASS
        return Finding(check.name, verdict, "r", "", on_failure=OnFailure.ROLL_BACK)

    async def round(self, runs: CheckRuns, patience: float, now: float = 1.0,
        settings: EffectiveAnalysis | None = None) -> tuple[CheckRun, ...]:  # fmt: skip
        started = runs.start((settings or analysis()).checks, self.evaluate, now)
        async with asyncio.timeout(PATIENCE):
            await runs.settle(patience, 10)
        return started


async def test_failed_check_does_not_wait_for_one_whose_server_hangs() -> None:
    sources, runs = Sources(), CheckRuns()
    errors, replay = await sources.round(runs, patience=600)
    assert (errors.fails, errors.latest.verdict) == (True, Verdict.FAIL)
    assert (replay.fails, replay.latest.verdict) == (False, Verdict.INSUFFICIENT)
    assert "has not ended" in replay.latest.message
    runs.cancel()


async def test_failures_are_counted_at_every_interval_beside_a_check_that_hangs() -> None:
    sources, runs, settings = Sources(), CheckRuns(), analysis(failure_limit=2)
    for number in (1, 2, 3):
        errors, replay = await sources.round(runs, 0.01, number, settings)
        assert (errors.tally.failures, errors.fails) == (number, number == 3)
    assert sources.asked.count("replay") == 1, "an evaluation under way is not started again"
    assert replay.tally.insufficient == 0
    runs.cancel()


async def test_check_that_takes_longer_than_the_interval_keeps_its_last_finding() -> None:
    sources, runs = Sources(), CheckRuns()
    sources.verdict = Verdict.PASS
    sources.released.set()
    await sources.round(runs, 5, now=1)
    sources.released.clear()
    errors, replay = await sources.round(runs, 0.01, now=6)
    assert (errors.at, replay.at) == (6, 1)
    assert replay.latest.verdict is Verdict.PASS
    sources.released.set()
    errors, replay = await sources.round(runs, 5, now=11)
    assert (errors.at, replay.at) == (11, 6)


async def test_result_of_a_check_whose_settings_changed_is_void() -> None:
    sources, runs = Sources(), CheckRuns()
    first = await sources.round(runs, 5)
    hanging = first[1].task
    assert hanging
    changed = analysis(maximum=0.5)
    assert changed.checks[0] != first[0].check
    runs.start(changed.checks[:1], sources.evaluate, 2)
    await asyncio.sleep(0)
    assert hanging.cancelling() or hanging.cancelled(), "a check that was removed is not asked"
    runs.cancel()


async def test_next_step_keeps_the_course_of_a_check_and_not_its_tally() -> None:
    sources, runs = Sources(), CheckRuns()
    sources.released.set()
    await sources.round(runs, 5)
    after = CheckRuns()
    after.succeed(runs)
    sources.verdict = Verdict.PASS
    errors, _ = await sources.round(after, 5, now=2)
    assert [one.verdict for one in errors.history] == ["Fail", "Pass"]
    assert errors.tally.failures == 0
