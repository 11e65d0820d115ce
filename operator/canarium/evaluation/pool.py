"""Evaluates tasks in worker processes: started lazily, killed at a limit, stopped when idle."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from canarium.evaluation.errors import ErrorReason, EvaluationError
from canarium.evaluation.schedule import LIMITS, Schedule, WorkerLane
from canarium.evaluation.tasks import libraries
from canarium.evaluation.worker import Overrun, Worker
from canarium.untrusted.quoting import quoted

log = logging.getLogger(__name__)
#: Seconds without work after which the worker processes end.
_IDLE = 30.0
#: Bytes that wait to be evaluated: of all tenants together. The one that has most gives way.
_MOST_WAITING = 32 << 20
_NICENESS = {WorkerLane.QUICK: 5, WorkerLane.SLOW: 15}
#: Seconds before another attempt to start a process that did not start.
_PAUSE = 1.0


@dataclass(eq=False)
class _Job:
    tenant: str
    header: dict[str, Any]
    blobs: Sequence[bytes]
    result: asyncio.Future[list[bytes]] = field(repr=False)

    @property
    def size(self) -> int:
        return sum(map(len, self.blobs))


class Pool:
    """`evaluate` for all tenants; fair between them."""

    def __init__(self) -> None:
        self._schedule: Schedule[_Job] = Schedule(time.monotonic)
        self._lanes: dict[WorkerLane, asyncio.Task[None]] = {}
        self._news: dict[WorkerLane, asyncio.Event] = {}
        self._workers: dict[WorkerLane, Worker] = {}
        self._waiting: dict[_Job, None] = {}
        self._closed = False
        #: All libraries that tasks have needed.
        self._libraries: frozenset[str] = frozenset()

    @property
    def pids(self) -> list[int]:
        """The worker processes that run now."""
        return [w.pid for w in self._workers.values() if w.alive and w.pid is not None]

    async def evaluate(
        self, tenant: str, task: str, *blobs: bytes, **arguments: Any
    ) -> tuple[dict[str, Any], list[bytes]]:
        """Returns header and parts of the result. Raises EvaluationError."""
        if self._closed:
            raise EvaluationError(ErrorReason.UNAVAILABLE, "the operator is shutting down")
        future: asyncio.Future[list[bytes]] = asyncio.get_running_loop().create_future()
        job = _Job(tenant, {"task": task, **arguments}, blobs, future)
        self._waiting[job] = None
        try:
            self._make_room()
            self._schedule.add(tenant, job)
            self._wake()
            answer = await future
        finally:
            self._waiting.pop(job, None)
            self._schedule.discard(tenant, job)
            # The future has the error, whose traceback has this frame: a cycle, which would keep
            # megabytes until a full collection.
            del future, job, blobs
        header: dict[str, Any] = orjson.loads(answer[0])
        if "fault" in header:
            raise EvaluationError(ErrorReason(header["fault"]), quoted(header["text"], 1000))
        return header, answer[1:]

    async def close(self) -> None:
        """Ends the worker processes; evaluations that wait have no result."""
        self._closed = True
        for task in self._lanes.values():
            task.cancel()
        await asyncio.gather(*self._lanes.values(), return_exceptions=True)
        for job in list(self._waiting):
            _fail(
                job,
                EvaluationError(ErrorReason.UNAVAILABLE, "the operator is shutting down"),
            )

    def _make_room(self) -> None:
        """Drops the largest job of the tenant with the most bytes while there are too many."""
        while sum(job.size for job in self._waiting if not job.result.done()) > _MOST_WAITING:
            held: dict[str, int] = {}
            open_jobs = [job for job in self._waiting if not job.result.done()]
            for job in open_jobs:
                held[job.tenant] = held.get(job.tenant, 0) + job.size
            most = max(held, key=lambda tenant: held[tenant])
            victim = max((j for j in open_jobs if j.tenant == most), key=lambda j: j.size)
            self._schedule.discard(most, victim)
            text = "too many large answers of this namespace wait to be evaluated"
            _fail(victim, EvaluationError(ErrorReason.UNAVAILABLE, text))

    def _wake(self) -> None:
        for lane in WorkerLane:
            task = self._lanes.get(lane)
            if task is None or task.done():
                self._news[lane] = asyncio.Event()
                self._lanes[lane] = asyncio.create_task(self._serve(lane), name=f"lane {lane.name}")
            self._news[lane].set()

    async def _serve(self, lane: WorkerLane) -> None:
        """Evaluates what is next in `lane`, until there has been nothing for a while."""
        worker = self._workers[lane] = Worker(_NICENESS[lane])
        news = self._news[lane]
        try:
            while True:
                news.clear()
                if (next_job := self._schedule.take(lane)) is None:
                    try:
                        async with asyncio.timeout(_IDLE):
                            await news.wait()
                    except TimeoutError:
                        if not news.is_set():
                            return
                    continue
                await self._carry_out(worker, *next_job)
                del next_job  # Nothing keeps it while there is no other.
        finally:
            await asyncio.shield(worker.stop())

    async def _carry_out(self, worker: Worker, tenant: str, job: _Job, kind: WorkerLane) -> None:
        if job.result.done():
            return
        limit = LIMITS[kind]
        self._libraries |= libraries(job.header)
        try:
            if not worker.alive:
                await worker.stop()
                await worker.start(self._libraries)
            cpu, answer = await worker.evaluate({**job.header, "limit": limit}, job.blobs)
        except Overrun:
            self._schedule.charge(tenant, limit)
            if kind is WorkerLane.QUICK:
                self._schedule.overran(tenant, job)
                self._wake()
            else:
                text = f"it takes more than {limit:g} s of CPU time"
                _fail(job, EvaluationError(ErrorReason.LIMIT, text))
            if not worker.libraries >= self._libraries:
                # Else each child that replaces one would import them again.
                await worker.stop()
        except EvaluationError as error:
            self._schedule.charge(tenant, limit)
            _fail(job, error)
            if error.reason is ErrorReason.UNAVAILABLE:
                log.warning("evaluation for namespace %s: %s", tenant, error)
                await asyncio.sleep(_PAUSE)
        except asyncio.CancelledError:
            _fail(
                job,
                EvaluationError(ErrorReason.UNAVAILABLE, "the operator is shutting down"),
            )
            raise
        else:
            self._schedule.charge(tenant, cpu)
            if not job.result.done():
                job.result.set_result(answer)


def _fail(job: _Job, error: EvaluationError) -> None:
    """Ends `job` with a copy of `error`, whose traceback has frames that have the job."""
    if not job.result.done():
        job.result.set_exception(EvaluationError(error.reason, str(error)))
