"""The workers: take keys from the queue and reconcile them concurrently."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable

from canarium.engine.cache.store import Key
from canarium.engine.instrumentation import Observer, Unobserved
from canarium.engine.queue import Urgency, WorkQueue
from canarium.kube import throttle
from canarium.kube.clock import Timing
from canarium.kube.errors import ApiError
from canarium.telemetry import log_context
from canarium.untrusted.error_log import ErrorLog

log = logging.getLogger(__name__)
#: Workers that take only rollbacks, so that other work cannot delay these.
EXPRESS = 2
#: Seconds between two checks whether reconciles have ended.
_FINISHED_EVERY = 0.02


class Workers:
    """Runs `reconcile` for the keys of `queue`; failures are retried with backoff."""

    def __init__(
        self,
        queue: WorkQueue[Key],
        reconcile: Callable[[Key], Awaitable[None]],
        *,
        count: int = 8,
        timing: Timing | None = None,
        observer: Observer | None = None,
    ) -> None:
        self._observer = observer or Unobserved()
        self._queue = queue
        self._reconcile = reconcile
        self._count = count
        self._timing = timing or Timing()
        #: Current key of each worker, and when it was taken.
        self._busy: dict[int, tuple[Key, float]] = {}
        self.running = False
        self._error_log = ErrorLog(log)

    async def run(self) -> None:
        """Runs the workers until cancelled."""
        self.running = True
        try:
            async with asyncio.TaskGroup() as group:
                for number in range(self.capacity):
                    only = Urgency.FAULT if number >= self._count else Urgency.IDLE
                    group.create_task(self._work(number, only), name=f"worker {number}")
        finally:
            self.running = False

    @property
    def capacity(self) -> int:
        """How many keys can be reconciled at once."""
        return self._count + EXPRESS

    def running_for(self) -> list[float]:
        """Returns for how many seconds each key that is being reconciled has been."""
        now = self._timing.clock()
        return [now - began for _, began in self._busy.values()]

    async def finished(self, concerned: Callable[[Key], bool]) -> None:
        """Waits until none of these keys is being reconciled."""
        while any(concerned(key) for key, _ in self._busy.values()):
            await self._timing.sleep(_FINISHED_EVERY)

    def slowest(self) -> tuple[Key, float] | None:
        """Returns the key that has been reconciling for longest, and for how many seconds."""
        if not self._busy:
            return None
        key, began = min(self._busy.values(), key=lambda busy: busy[1])
        return key, self._timing.clock() - began

    async def _work(self, number: int, only: Urgency) -> None:
        while True:
            # Neither taking a key nor a reconcile without writes awaits anything: yield to other
            # tasks here.
            await asyncio.sleep(0)
            key = await self._queue.get(only)
            throttle.urgency.set(self._queue.urgency(key))
            began = self._timing.clock()
            self._busy[number] = (key, began)
            result = "failed"
            try:
                with log_context.reconciling(*key):
                    result = await self._attempt(key)
            finally:
                del self._busy[number]
                self._observer.reconciled(result, self._timing.clock() - began)
                self._queue.done(key)

    async def _attempt(self, key: Key) -> str:
        """Reconciles `key`, and schedules another attempt if that fails; returns the result."""
        began = self._timing.clock()
        try:
            await self._reconcile(key)
        except ApiError as error:
            wait = self._queue.backoff(key, at_least=error.retry_after or 0.0)
            log.warning("%s/%s: %s; retrying in %.1f s", *key, error, wait)
            return "retried"
        except Exception as error:
            self._queue.backoff(key)
            self._error_log.report(key, "/".join(key), "its reconcile", error)
            return "failed"
        self._queue.forget(key)
        self._error_log.forget(key)
        log.debug("%s/%s: reconciled in %.3f s", *key, self._timing.clock() - began)
        return "done"
