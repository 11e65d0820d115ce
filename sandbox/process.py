"""Processes that a sandbox started, distinguished from later ones with the same pid."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


class NotStarted(RuntimeError):
    """A command ended before it could be seen running; the text ends with its log."""


@dataclass(frozen=True, slots=True)
class Process:
    """A pid with the time at which the kernel started it (clock ticks since boot)."""

    pid: int
    started: str

    @classmethod
    def of(cls, pid: int) -> Process:
        """The process that has `pid` now."""
        return cls(pid, _stat(pid)[0] or "")

    @property
    def alive(self) -> bool:
        return bool(self.started) and _stat(self.pid)[0] == self.started

    def stop(self, patience: float = 10.0) -> None:
        """Ends the process, by force after `patience` seconds; a stranger is left alone."""
        if not self.alive:
            return
        self.signal(signal.SIGTERM)
        # A stopped process would keep the signal pending indefinitely.
        self.signal(signal.SIGCONT)
        if not self.ended(patience):
            self.kill()

    def kill(self) -> None:
        """Ends the process at once, and waits until the kernel has done so."""
        self.signal(signal.SIGKILL)
        self.ended(5.0)

    def ended(self, patience: float) -> bool:
        """Waits at most `patience` seconds for the end; returns whether it has ended."""
        until = time.monotonic() + patience
        while self.alive:
            _reap(self.pid)
            if time.monotonic() > until:
                return False
            time.sleep(0.01)
        _reap(self.pid)
        return True

    def signal(self, number: int) -> None:
        """Sends a signal, unless the process has ended or another one has its pid."""
        if self.alive:
            os.kill(self.pid, number)

    @property
    def memory(self) -> int:
        """Returns the resident memory in bytes; 0 after the process has ended."""
        try:
            pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        except (OSError, IndexError):
            return 0
        return pages * resource.getpagesize()


def start(command: Sequence[str | Path], log: Path, *, forks: bool = False) -> Process:
    """Starts `command` in a separate session, its output appended to `log`.

    With `forks` the command is a wrapper (nsenter, unshare) whose only child is the process that
    is wanted. Raises NotStarted.
    """
    with log.open("ab") as output:
        child = subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=_environment(),
            start_new_session=True,
        )
    process = Process.of(child.pid)
    if forks:
        process = _only_child(child, log)
    child.returncode = 0  # Reaped by `stop`, perhaps in another process: no warning wanted.
    return process


def _environment() -> dict[str, str]:
    # A proxy for the user's browser must not sit between the parts, nor between the API server and
    # a webhook; and the tools of a node are where some users have no path to.
    kept = {n: v for n, v in os.environ.items() if not n.lower().endswith("_proxy")}
    # A fifth less of processor time for an API server that starts, for 60 MB.
    kept.setdefault("GOGC", "400")
    return {**kept, "PATH": f"{kept.get('PATH', os.defpath)}:/usr/local/sbin:/usr/sbin:/sbin"}


def _only_child(parent: subprocess.Popen[bytes], log: Path) -> Process:
    until = time.monotonic() + 10
    while parent.poll() is None and time.monotonic() < until:
        for name in os.listdir("/proc"):
            if name.isdecimal() and _stat(int(name))[1] == str(parent.pid):
                return Process.of(int(name))
        time.sleep(0.005)
    parent.kill()
    parent.wait()
    raise NotStarted(f"{parent.args!r}\n{log.read_text(errors='replace')[-2000:]}")


def _stat(pid: int) -> tuple[str | None, str | None]:
    """Start time and parent of a process that is there and not a zombie, else nothing."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except (FileNotFoundError, ProcessLookupError):
        return None, None
    # A killed process is a zombie while threads of it still run, and hold its ports and files.
    if fields[0] in "ZX" and _threads(pid) < 2:
        return None, None
    return fields[19], fields[1]


def _threads(pid: int) -> int:
    try:
        return len(os.listdir(f"/proc/{pid}/task"))
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _reap(pid: int) -> None:
    try:
        os.waitpid(pid, os.WNOHANG)
    except ChildProcessError:
        return
