"""The operator as a process that dies at a given write of its own, started by fork: quickly."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from pathlib import Path
from typing import Any

context: Any = multiprocessing.get_context("forkserver")
context.set_forkserver_preload(["canarium.app", "canarium.handlers", "api.faulty"])


def run(arguments: list[str], die_at: int, made: Any, log: str) -> None:
    """`canarium run`, killed before its write number `die_at`; `made` counts the writes sent."""
    from canarium.__main__ import main
    from canarium.kube.transport import Client

    output = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    os.dup2(output, 1)
    os.dup2(output, 2)

    async def inject(method: str, path: str) -> None:
        if made.value + 1 == die_at:
            os.kill(os.getpid(), signal.SIGKILL)
        made.value += 1

    Client.inject = inject
    sys.argv = ["canarium", "run", *arguments]
    sys.exit(main())


class Mortal:
    """An operator for one namespace; its successors do not die."""

    def __init__(self, kubeconfig: Path, namespace: str, log: Path, die_at: int) -> None:
        self._arguments = ["--kubeconfig", str(kubeconfig), "--namespace", namespace]
        self._log = str(log)
        self.made = context.Value("i", 0)
        self.died = False
        self._process = self._start(die_at)

    def _start(self, die_at: int) -> Any:
        process = context.Process(target=run, args=(self._arguments, die_at, self.made, self._log))
        process.start()
        return process

    def look(self) -> None:
        """Starts a successor when it has died. AssertionError when it ended in another way."""
        if self._process.exitcode is None:
            return
        assert self._process.exitcode == -signal.SIGKILL, self._process.exitcode
        self.died = True
        self._process = self._start(0)

    def stop(self) -> None:
        self._process.terminate()
        self._process.join(15)
