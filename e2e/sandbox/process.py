"""Processes that a sandbox started, told from strangers that got the same pid later."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Process:
    """A pid with the time at which the kernel started it (clock ticks since boot)."""

    pid: int
    started: str

    @property
    def alive(self) -> bool:
        return _start_time(self.pid) == self.started

    def stop(self, patience: float = 10.0) -> None:
        """Ends the process, by force after `patience` seconds; a stranger is left alone."""
        if not self.alive:
            return
        os.kill(self.pid, signal.SIGTERM)
        until = time.monotonic() + patience
        while self.alive and time.monotonic() < until:
            _reap(self.pid)
            time.sleep(0.02)
        if self.alive:
            os.kill(self.pid, signal.SIGKILL)
            time.sleep(0.05)
        _reap(self.pid)

    def signal(self, number: int) -> None:
        if self.alive:
            os.kill(self.pid, number)


def start(
    command: Sequence[str | Path], log: Path, environment: Mapping[str, str] | None = None
) -> Process:
    """Starts `command` in a process group of its own, its output appended to `log`."""
    with log.open("ab") as output:
        child = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env={**os.environ, **(environment or {})},
            start_new_session=True,
        )
    child.returncode = 0  # Reaped by `stop`, perhaps in another process: no warning wanted.
    return Process(child.pid, _start_time(child.pid) or "")


def remember(process: Process, path: Path) -> None:
    path.write_text(f"{process.pid} {process.started}")


def recall(path: Path) -> Process | None:
    try:
        pid, started = path.read_text().split()
    except (FileNotFoundError, ValueError):
        return None
    return Process(int(pid), started)


def _start_time(pid: int) -> str | None:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    return None if fields[0] == "Z" else fields[19]


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return
