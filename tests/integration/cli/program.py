"""Runs `kubectl modeldeploy` as a user does: as a separate process, with a kubeconfig."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sandbox import clients


@dataclass(frozen=True, slots=True)
class Done:
    """How a run ended."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        """What was printed, as JSON."""
        return json.loads(self.out)


@dataclass(frozen=True, slots=True)
class Program:
    """The program with a kubeconfig and a namespace."""

    kubeconfig: Path
    namespace: str

    async def run(self, *words: str, stdin: str | None = None, seconds: float = 60) -> Done:
        """Runs it to its end, at most for `seconds`, while the test's kubelet keeps running."""
        process = await self.start(*words)
        body = None if stdin is None else stdin.encode()
        out, err = await asyncio.wait_for(process.communicate(body), seconds)
        assert process.returncode is not None
        return Done(process.returncode, out.decode(), err.decode())

    async def start(self, *words: str) -> asyncio.subprocess.Process:
        """Starts it."""
        where = ["--kubeconfig", str(self.kubeconfig), "--namespace", self.namespace]
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "canarium_cli.main", words[0], *where, *words[1:]),
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            # A shell starts its background jobs with SIGINT ignored, which programs inherit.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            env={**os.environ, "KUBECTL": str(clients.find("kubectl")), "NO_COLOR": "1"},
        )
