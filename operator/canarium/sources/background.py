"""Requests in the background: at most one for each model, repeated until there is nothing to add.

Level-triggered, as other facts from outside: a plan states what it wants, and what it no longer
wants stops. Nothing survives a restart, and nothing needs to: what was achieved is on the record.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from canarium.kube.clock import Timing
from canarium.sources.registries import Key
from canarium.telemetry import log_context
from canarium.untrusted.error_log import ErrorLog

log = logging.getLogger(__name__)
R = TypeVar("R")
T = TypeVar("T")
Wake = Callable[[Key, bool], None]
#: Attempts of one namespace at a time: its other requests do not wait for them.
AT_ONCE = 4
#: Namespaces whose limit is kept while no attempt uses it.
_MOST_IDLE = 1024
#: Seconds until the repetition of an attempt that raised an exception, doubled each time, and the
#: longest.
_FIRST_WAIT, _LAST_WAIT = 1.0, 60.0
#: Doublings that are certain to reach the longest wait.
_DOUBLINGS = 6


@dataclass(frozen=True, slots=True)
class Attempt(Generic[T]):
    """What an attempt has achieved, if anything, and the seconds until the next one, before
    jitter; None if it was the last."""

    result: T | None
    again: float | None = None


@dataclass
class _Running(Generic[R, T]):
    request: R
    result: T | None = None
    task: asyncio.Task[None] | None = field(default=None, repr=False)
    #: Whether the last attempt was made: only then may the task have ended.
    complete: bool = False

    @property
    def stopped(self) -> bool:
        return self.task is not None and self.task.done() and not self.complete


class Background(Generic[R, T]):
    """`attempt(key, request, number)` is called until its answer is the last.

    `wake(key, urgent)` is called for each new result. Attempts handle their errors; one that raises
    is logged and repeated ever less often, as nothing else would start it again.
    """

    def __init__(
        self,
        attempt: Callable[[Key, R, int], Awaitable[Attempt[T]]],
        wake: Wake,
        timing: Timing,
    ) -> None:
        self._attempt, self._wake, self._timing = attempt, wake, timing
        self._models: dict[Key, _Running[R, T]] = {}
        self._turns: dict[str, asyncio.Semaphore] = {}
        self._unexpected = ErrorLog(log)

    def result(self, key: Key) -> T | None:
        """Returns the latest result for the last request of a model."""
        running = self._models.get(key)
        return running.result if running else None

    def want(self, key: Key, request: R | None) -> None:
        """Starts attempts for `request`, and stops those for any other request of the model."""
        running = self._models.get(key)
        if running and running.request == request and not running.stopped:
            return
        self.forget(key)
        if request is not None:
            started = self._models[key] = _Running(request)
            started.task = asyncio.create_task(self._run(key, started))

    def forget(self, key: Key) -> None:
        """Stops the attempts for a model."""
        running = self._models.pop(key, None)
        if running and running.task:
            running.task.cancel()

    async def close(self) -> None:
        """Stops everything."""
        tasks = [running.task for running in self._models.values() if running.task]
        self._models.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _run(self, key: Key, running: _Running[R, T]) -> None:
        # The key of a gate is the name of its model and its own.
        log_context.about(key[0], key[1].partition("/")[0])
        number = 0
        while True:
            number += 1
            try:
                async with self._turn(key[0]):
                    attempt = await self._attempt(key, running.request, number)
            except Exception as error:
                self._unexpected.report(key, "/".join(key), "a request in the background", error)
                attempt = Attempt(None, again=_wait(number))
            if attempt.result is not None and attempt.result != running.result:
                running.result = attempt.result
                self._wake(key, False)
            if attempt.again is None:
                running.complete = True
                return
            await self._timing.sleep(self._timing.jitter(attempt.again))

    def _turn(self, namespace: str) -> asyncio.Semaphore:
        if len(self._turns) > _MOST_IDLE:
            self._turns = {name: turn for name, turn in self._turns.items() if turn.locked()}
        return self._turns.setdefault(namespace, asyncio.Semaphore(AT_ONCE))


def _wait(number: int) -> float:
    return min(_LAST_WAIT, _FIRST_WAIT * 2.0 ** min(number - 1, _DOUBLINGS))
