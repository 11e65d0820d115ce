"""Evaluations of checks that are under way, so that a slow check delays no other.

At each interval, every check is evaluated whose last evaluation has ended. The evidence has the
latest finding of each, and is complete as soon as one fails the candidate: a check that waits for a
server that hangs, which may be that of the candidate, delays no rollback (R8).
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field

from canarium.api.effective_analysis import EffectiveCheck
from canarium.api.reasons import CheckReason
from canarium.core.evidence.history import PastEvaluation, appended
from canarium.core.evidence.verdict import (
    Finding,
    OnFailure,
    Tally,
    TallyLimits,
    Verdict,
)

#: Seconds for which a rollback waits for other checks, which usually answer in milliseconds.
_MOMENT = 0.5


@dataclass
class CheckRun:
    """What is known about one check: its evaluation under way, and the results of earlier ones."""

    check: EffectiveCheck
    #: POSIX seconds at which the evaluation under way began.
    began: float = 0.0
    task: asyncio.Task[Finding] | None = None
    #: Result of the last evaluation that has ended, and when that began.
    finding: Finding | None = None
    at: float | None = None
    tally: Tally = field(default_factory=Tally)
    history: tuple[PastEvaluation, ...] = ()

    @property
    def limits(self) -> TallyLimits:
        """How often in a row its evaluations may end without a pass."""
        check = self.check
        return TallyLimits(check.failure_limit, check.error_limit, check.insufficient_limit)

    @property
    def fails(self) -> bool:
        """Whether it fails the candidate by itself."""
        return (
            self.finding is not None
            and self.finding.on_failure is OnFailure.ROLL_BACK
            and self.limits.exceeded_by(self.tally)
        )

    @property
    def latest(self) -> Finding:
        """The latest finding; before the first, that there is none."""
        if self.finding:
            return self.finding
        text = "its first evaluation has not ended yet"
        return Finding(
            self.check.name, Verdict.INSUFFICIENT, CheckReason.NO_DATA, text,
            on_failure=OnFailure(self.check.on_failure),
        )  # fmt: skip

    def collect(self, most: int) -> None:
        """Takes over the result of an evaluation that has ended; keeps the last `most`."""
        if self.task is None or not self.task.done():
            return
        self.finding, self.at, self.task = self.task.result(), self.began, None
        self.tally = self.tally.after(self.finding)
        self.history = appended(self.history, _evaluation(self.finding, self.began), most)


class CheckRuns:
    """The checks of one model, by name."""

    def __init__(self) -> None:
        self._runs: dict[str, CheckRun] = {}

    def start(
        self,
        checks: Iterable[EffectiveCheck],
        evaluate: Callable[[EffectiveCheck], Awaitable[Finding]],
        now: float,
    ) -> tuple[CheckRun, ...]:
        """Starts an evaluation of each of `checks` that has none under way; returns them all.

        An evaluation of a check with other settings is cancelled: its result is void.
        """
        before, self._runs = self._runs, {}
        for check in checks:
            run = before.pop(check.name, None) or CheckRun(check)
            if run.check != check:
                _cancel(run)
                run.check = check
            if run.task is None:
                run.began = now
                run.task = asyncio.ensure_future(evaluate(check))
            self._runs[check.name] = run
        for run in before.values():
            _cancel(run)
        return tuple(self._runs.values())

    async def settle(self, patience: float, most: int) -> None:
        """Waits until all have ended, or for `patience` seconds; keeps the last `most` results of
        each. Once one fails the candidate, the others have a moment to complete the evidence."""
        loop = asyncio.get_running_loop()
        end = loop.time() + patience
        while under_way := {run.task for run in self._runs.values() if run.task}:
            ended, _ = await asyncio.wait(
                under_way, timeout=max(0.0, end - loop.time()), return_when=asyncio.FIRST_COMPLETED
            )
            for run in self._runs.values():
                run.collect(most)
            if not ended:
                return
            if any(run.fails for run in self._runs.values()):
                end = min(end, loop.time() + _MOMENT)

    def succeed(self, before: CheckRuns) -> None:
        """Continues the histories of `before`, whose evaluations and tallies are void."""
        self._runs = {
            name: CheckRun(run.check, history=run.history) for name, run in before._runs.items()
        }

    def cancel(self) -> None:
        """Ends what is under way."""
        for run in self._runs.values():
            _cancel(run)


def _cancel(run: CheckRun) -> None:
    if run.task:
        run.task.cancel()
        run.task = None


def _evaluation(finding: Finding, at: float) -> PastEvaluation:
    return PastEvaluation(
        at=at,
        verdict=finding.verdict.value,
        value=finding.value,
        threshold=finding.threshold,
        stable=finding.stable,
        samples=finding.samples,
    )
