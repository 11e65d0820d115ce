"""What is measured: an operator, with its objects and its words for being done."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

from bench.cluster.client import Body
from bench.cluster.fresh import Cluster
from bench.cluster.watching import Key

Request = tuple[str, Body]


class Contender(Protocol):
    """One operator on one cluster. `agents` are its user agents in the audit log."""

    name: str
    agents: frozenset[str]
    #: The collection whose objects it is measured by, over all namespaces.
    collection: str
    #: Resources that must exist before its children do.
    children: frozenset[str]

    async def install(self, cluster: Cluster) -> None:
        """What it needs in the cluster; it does not run yet."""

    async def start(self, cluster: Cluster) -> None:
        """Starts its process and waits until it works."""

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        """Ends its process and waits for the end."""

    def pids(self) -> dict[str, int]: ...

    def before(self, key: Key) -> list[Request]:
        """Objects that the user would have made before, by POST; not timed."""

    def created(self, key: Key) -> Request:
        """The object at version 1, by POST to a collection."""

    def changed(self, key: Key, version: int) -> Request:
        """A merge patch that asks for another version, and its path."""

    def live(self, body: Body, version: int) -> bool:
        """Returns whether that version is the one that all callers reach, and it is done."""

    async def gauges(self) -> Mapping[str, float]:
        """Returns its own metrics; empty if it has none."""


class Spawned:
    """A process of a contender, its output in a file of the sandbox's folder."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._process: subprocess.Popen[bytes] | None = None
        self.log: Path = Path(os.devnull)

    def start(self, command: Sequence[str | Path], folder: Path, **extra: str) -> None:
        self.log = folder / f"{self._name}.log"
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [str(word) for word in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env={**os.environ, **extra},
                start_new_session=True,
            )

    def stop(self, how: signal.Signals = signal.SIGTERM) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.send_signal(how)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            print(f"{self._name} did not end in 20 s: killed", file=sys.stderr)
            process.kill()
            process.wait()

    @property
    def pid(self) -> int | None:
        """None when it does not run."""
        return self._process.pid if self._process and self._process.poll() is None else None

    def pids(self) -> dict[str, int]:
        return {self._name: self.pid} if self.pid else {}
