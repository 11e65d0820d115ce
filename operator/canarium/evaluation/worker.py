"""The operator's side of one worker process."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
from collections.abc import Sequence
from typing import Any

import orjson

from canarium.evaluation import frames
from canarium.evaluation.errors import ErrorReason, EvaluationError

#: Seconds, by the clock on the wall: for a process that does not get its CPU time.
_START, _ANSWER = 20.0, 30.0
#: Bytes of an answer: the most series that a page may have, and recorded requests, fit.
LONGEST_ANSWER = 4 << 20
#: A worker has no use for anything else in the operator's environment.
_ENVIRONMENT = ("PATH", "PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV", "LD_LIBRARY_PATH", "TZ")
_ENDED_BY_CPU = (-signal.SIGPROF, -signal.SIGXCPU)


class Overrun(Exception):
    """The task used up its CPU time."""


class Worker:
    """A process that is started by `start` and evaluates one task at a time."""

    def __init__(self, niceness: int) -> None:
        self._niceness = niceness
        #: What the process imported before it began.
        self.libraries: frozenset[str] = frozenset()
        self._process: asyncio.subprocess.Process | None = None

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.returncode is None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    async def start(self, libraries: frozenset[str]) -> None:
        """Starts the process and waits until it is ready. Raises EvaluationError."""
        self.libraries = libraries
        environment = {k: os.environ[k] for k in _ENVIRONMENT if k in os.environ}
        try:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "canarium.evaluation.process",
                str(self._niceness),
                *sorted(libraries),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                start_new_session=True,
                env={**environment, "PYTHONDONTWRITEBYTECODE": "1"},
            )
            async with asyncio.timeout(_START):
                await self._receive(1024)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, frames.BadFrame) as error:
            await self.stop()
            text = f"no worker process started: {type(error).__name__}: {error}"
            raise EvaluationError(ErrorReason.UNAVAILABLE, text[:200]) from error

    async def evaluate(
        self, header: dict[str, Any], blobs: Sequence[bytes]
    ) -> tuple[float, list[bytes]]:
        """Returns the CPU time used, and the response. Raises Overrun, EvaluationError.

        After an exception, or when cancelled, the process that evaluated has ended.
        """
        process = self._process
        assert process is not None
        assert process.stdin is not None
        usable = False
        try:
            async with asyncio.timeout(_ANSWER):
                process.stdin.write(frames.packed([orjson.dumps(header), *blobs]))
                await process.stdin.drain()
                first, *answer = await self._receive(LONGEST_ANSWER)
            usable = True
            report = orjson.loads(first)
            if "died" in report:
                raise _explained(report["died"])
            return float(report["cpu"]), answer
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise _explained(-signal.SIGKILL) from error
        except frames.BadFrame as error:
            raise EvaluationError(ErrorReason.LIMIT, "its result is too large") from error
        except TimeoutError as error:
            text = f"no result within {_ANSWER:g} s: the operator's node is too busy"
            raise EvaluationError(ErrorReason.UNAVAILABLE, text) from error
        finally:
            if not usable:
                await asyncio.shield(self.stop())

    async def _receive(self, longest: int) -> list[bytes]:
        assert self._process is not None
        assert self._process.stdout is not None
        return await frames.receive(self._process.stdout, longest)

    async def stop(self) -> None:
        """Kills the process and its child, and waits until both have ended."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.returncode is None:
            # They have their own session.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        if process.stdin is not None:
            process.stdin.close()
        if process.stdout is not None:
            while await process.stdout.read(1 << 20):
                """Discards the output of a task whose caller no longer waits."""
        await process.wait()


def _explained(code: int) -> Overrun | EvaluationError:
    """Returns what the exit of a process means for its task; negative: the signal."""
    if code in _ENDED_BY_CPU:
        return Overrun()
    if code == -signal.SIGKILL:
        text = "a worker process was killed, perhaps for want of memory on the node"
        return EvaluationError(ErrorReason.UNAVAILABLE, text)
    return EvaluationError(ErrorReason.LIMIT, f"it ended the process that evaluates it ({code})")
