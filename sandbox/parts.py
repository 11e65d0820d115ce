"""The parts of a sandbox: one process each, with a record on disk that outlives who started it."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox import process
from sandbox.process import Process


class PartFailed(RuntimeError):
    """A part ended, or did not get ready in time; the text ends with its log."""


@dataclass(frozen=True, slots=True)
class Part:
    """One process of a sandbox: `<folder>/<name>.pid` is its record, `<name>.log` its output."""

    folder: Path
    name: str

    @property
    def log(self) -> Path:
        return self.folder / f"{self.name}.log"

    @property
    def process(self) -> Process | None:
        """The process as it was started last, alive or not."""
        record = self._record()
        return Process(record["pid"], record["started"]) if record else None

    @property
    def alive(self) -> bool:
        process = self.process
        return process is not None and process.alive

    @property
    def since(self) -> float:
        """When the part was started last, in seconds since the epoch."""
        return (self.folder / f"{self.name}.pid").stat().st_mtime

    def start(self, command: Sequence[str | Path], *, entering: Sequence[str | Path] = ()) -> None:
        """Starts the part unless it runs; `entering` wraps it into other namespaces."""
        if self.alive:
            return
        whole = [str(word) for word in (*entering, *command)]
        self._write(process.start(whole, self.log, forks=bool(entering)), whole, bool(entering))

    def restart(self) -> None:
        """Ends the part if it runs, and starts it again just as it was started before."""
        record = self._record()
        if record is None:
            raise PartFailed(f"{self.name} was never started")
        self.stop()
        started = process.start(record["command"], self.log, forks=record["forks"])
        self._write(started, record["command"], record["forks"])

    def stop(self, patience: float = 10.0) -> None:
        """Ends the part, by force after `patience` seconds."""
        process = self.process
        if process:
            process.stop(patience)

    def kill(self) -> None:
        """Ends the part as a crash would."""
        process = self.process
        if process:
            process.kill()

    def pause(self) -> None:
        """Freezes the part until `resume`: it keeps its connections and answers nothing."""
        self._signal(signal.SIGSTOP)

    def resume(self) -> None:
        self._signal(signal.SIGCONT)

    def failure(self, what: str) -> PartFailed:
        """The exception to raise: `what`, and the last of the log."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return PartFailed(f"{self.name} {what}; {self.log} ends with\n{text[-2000:]}")

    def _signal(self, number: int) -> None:
        process = self.process
        if process is None or not process.alive:
            raise PartFailed(f"{self.name} does not run")
        process.signal(number)

    def _record(self) -> dict[str, Any] | None:
        try:
            record: Any = json.loads((self.folder / f"{self.name}.pid").read_text())
        except (FileNotFoundError, ValueError):
            return None
        return record if isinstance(record, dict) else None

    def _write(self, started: Process, command: list[str], forks: bool) -> None:
        record = {
            "pid": started.pid,
            "started": started.started,
            "command": command,
            "forks": forks,
        }
        write_whole(self.folder / f"{self.name}.pid", json.dumps(record))


def of(folder: Path) -> list[Part]:
    """The parts that were ever started in `folder`, in the order of their last start."""
    records = sorted(folder.glob("*.pid"), key=lambda path: path.stat().st_mtime_ns)
    return [Part(folder, path.stem) for path in records]


def write_whole(path: Path, text: str) -> None:
    """Writes a file such that a reader sees the old text or the new, never half of it."""
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    unfinished.write_text(text)
    unfinished.replace(path)
