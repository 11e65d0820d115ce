"""Runs commands of the docs as a reader does: in a shell, in a folder, with tools on the PATH."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

from integration.conftest import ROOT, Cluster
from sandbox import clients
from support.docs import command

#: The namespace of the pages, which becomes that of the test.
_NAMESPACE = re.compile(r"(-n |--namespace[ =])risk\b")


@dataclass(frozen=True, slots=True)
class Done:
    """What a command printed, and its exit code."""

    code: int
    text: str


@dataclass(frozen=True)
class Desk:
    """A folder, an environment, and the namespace of the reader's context."""

    folder: Path
    environment: dict[str, str]
    namespace: str

    @classmethod
    def of(cls, cluster: Cluster, folder: Path) -> Desk:
        """A desk with the examples of the repository, whose context has the test's namespace."""
        programs = folder / "bin"
        programs.mkdir()
        for tool in ("kubectl", "helm"):
            (programs / tool).symlink_to(clients.find(tool))
        plugin = programs / "kubectl-modeldeploy"
        plugin.write_text(f'#!/bin/sh\nexec {sys.executable} -m canarium_cli.main "$@"\n')
        plugin.chmod(0o755)
        for shared in ("examples", "charts"):
            (folder / shared).symlink_to(ROOT / shared)
        context = ("config", "view", "--raw", "--flatten")
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(cluster.plane.kubectl(*context))
        words = ("set-context", "--current", f"--namespace={cluster.namespace}")
        cluster.plane.kubectl("config", f"--kubeconfig={kubeconfig}", *words)
        environment = {
            **os.environ,
            "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
            "KUBECONFIG": str(kubeconfig),
            "KUBECTL": str(programs / "kubectl"),
            "NO_COLOR": "1",
        }
        return cls(folder, environment, cluster.namespace)

    def line(self, page: str, beginning: str, replaced: dict[str, str] | None = None) -> str:
        """Returns the command of a page that begins so, with the reader's own names in it."""
        text = command(page, beginning)
        for placeholder, value in (replaced or {}).items():
            assert placeholder in text, f"{page}: {text} has no {placeholder}"
            text = text.replace(placeholder, value)
        return self.here(text)

    async def run(self, page: str, beginning: str, replaced: dict[str, str] | None = None) -> Done:
        """Runs the command of a page that begins so."""
        return await self.follow(self.line(page, beginning, replaced))

    def here(self, line: str) -> str:
        """Returns a command with the namespace of the test instead of that of the pages."""
        return _NAMESPACE.sub(rf"\g<1>{self.namespace}", line)

    async def follow(self, line: str) -> Done:
        """Runs a command to its end, at most for a minute, while the test's kubelet runs."""
        process = await self._start(line)
        out, _ = await asyncio.wait_for(process.communicate(), 60)
        assert process.returncode is not None
        return Done(process.returncode, out.decode())

    async def shows(self, page: str, beginning: str, text: str) -> None:
        """Runs a command that does not end until it prints `text`, and interrupts it."""
        process = await self._start(self.line(page, beginning))
        assert process.stdout
        printed = ""
        try:
            async with asyncio.timeout(60):
                while text not in printed:
                    line = (await process.stdout.readline()).decode()
                    assert line, printed
                    printed += line
        except TimeoutError:
            raise AssertionError(f"no {text} in: {printed}") from None
        finally:
            os.killpg(process.pid, signal.SIGINT)
            await process.communicate()

    async def _start(self, line: str) -> asyncio.subprocess.Process:
        return await asyncio.create_subprocess_exec(
            "bash", "-c", line, cwd=self.folder, env=self.environment, start_new_session=True,
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
            # A shell starts its background jobs with SIGINT ignored, which programs inherit.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip
