"""A worker process: reads tasks from its input, and ends when that ends.

`python -m canarium.evaluation.process NICENESS LIBRARY…`. The first process imports what tasks
need and then only forks: its child reads and evaluates. A child that a limit ends is replaced in
milliseconds, without the imports, which take longer than most evaluations.

The limits are the kernel's, so nothing has to cooperate. CPU time of one task: ITIMER_PROF, whose
signal is not handled, which also ends a process in the middle of a regular expression. Memory:
RLIMIT_DATA. CPU time of all tasks of a child together: RLIMIT_CPU.
"""

from __future__ import annotations

import importlib
import os
import resource
import signal
import sys
import time

import orjson

from canarium.evaluation import frames, tasks
from canarium.evaluation.errors import ErrorReason

#: Bytes of private memory that a process may have.
MEMORY = 160 << 20
#: A child that has grown so far, or worked so long (seconds of CPU), is replaced.
_GROWN_KIB, _WORN = 96 << 10, 60
_LAST_RESORT = 120
_INPUT_ENDED = 3


def main() -> None:
    """Forks children until one of them finds the end of the input."""
    niceness, *libraries = sys.argv[1:]
    os.nice(int(niceness))
    resource.setrlimit(resource.RLIMIT_DATA, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (_LAST_RESORT, _LAST_RESORT))
    for none in (resource.RLIMIT_CORE, resource.RLIMIT_FSIZE):
        resource.setrlimit(none, (0, 0))
    signal.signal(signal.SIGPROF, signal.SIG_DFL)
    for library in libraries:
        importlib.import_module(library)
    _send([b"{}"])
    while True:
        child = os.fork()
        if child == 0:
            os._exit(_serve())
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code == _INPUT_ENDED:
            return
        if code != 0:
            _send([orjson.dumps({"died": code})])


def _serve() -> int:
    """Evaluates tasks; the exit code of the child."""
    while (parts := frames.read(sys.stdin.buffer)) is not None:
        began = time.process_time()
        answer, alive = _answered(parts)
        _send([orjson.dumps({"cpu": time.process_time() - began}), *answer])
        del parts, answer
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss > _GROWN_KIB
        if not alive or grown or time.process_time() > _WORN:
            return 0
    return _INPUT_ENDED


def _answered(parts: list[bytes]) -> tuple[list[bytes], bool]:
    """Returns the response, and whether the process may continue."""
    try:
        header = orjson.loads(parts[0])
        for library in tasks.libraries(header):
            importlib.import_module(library)
        signal.setitimer(signal.ITIMER_PROF, header["limit"])
        try:
            return tasks.done(header, parts[1:]), True
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
    except MemoryError:
        text = f"it needs more than {MEMORY >> 20} MiB of memory"
        return [orjson.dumps({"fault": ErrorReason.LIMIT, "text": text})], False


def _send(parts: list[bytes]) -> None:
    sys.stdout.buffer.write(frames.packed(parts))
    sys.stdout.buffer.flush()


if __name__ == "__main__":
    main()
