"""The operator as a process that is kept alive, and may die at a given write; started by fork."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from pathlib import Path
from typing import Any

context: Any = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(["canarium.host.process", "integration.faulty"])


def run(arguments: list[str], die_at: int, made: Any, log: str) -> None:
    """`canarium run`, killed before its write number `die_at`; `made` counts the writes sent."""
    from canarium.__main__ import main
    from canarium.kube.http import Client

    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(output, 1)
    os.dup2(output, 2)

    def counted(self: Client, path: str) -> float:
        if made.value + 1 == die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        made.value += 1
        return timeout(self, path)

    timeout = Client._write_timeout
    Client._write_timeout = counted  # type: ignore[method-assign]
    sys.argv = ["canarium", "run", *arguments]
    sys.exit(main())


class KillableOperator:
    """An operator that is started again when it has ended, as a kubelet would."""

    def __init__(self, kubeconfig: Path, log: Path, *flags: str, die_at: int = 0) -> None:
        self._arguments = ["--kubeconfig", str(kubeconfig), *flags]
        self.log = log
        self.made = context.Value("i", 0)
        #: How it ended so far, as exit codes.
        self.exits: list[int] = []
        self._process = self._start(die_at)

    def _start(self, die_at: int = 0) -> Any:
        work = (self._arguments, die_at, self.made, str(self.log))
        process = context.Process(target=run, args=work)
        process.start()
        return process

    def look(self) -> None:
        """Starts a successor, who does not die, when it has ended."""
        if self._process.exitcode is not None:
            self.exits.append(self._process.exitcode)
            self._process = self._start()

    def stop(self) -> None:
        self._process.terminate()
        self._process.join(15)
