"""Entering the namespaces of a native sandbox: they live as long as its first process."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from sandbox import flags, nodefiles, paths
from sandbox.api import until
from sandbox.parts import Part

_INNER = Path(__file__).parent / "inner.py"


@dataclass(frozen=True, slots=True)
class Namespaces:
    """Mounts, processes and network of one sandbox; the part `node` is their first process."""

    folder: Path

    @property
    def node(self) -> Part:
        return Part(self.folder, "node")

    def make(self) -> None:
        """Makes the namespaces unless they are there. Raises PartFailed."""
        if self.node.alive:
            return
        ready = self.folder / "ready"
        ready.unlink(missing_ok=True)
        kept = {self.folder, paths.cache(), Path(sys.prefix), Path(sys.base_prefix)}
        wrapper = ["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child=KILL"]
        address = f"{nodefiles.NODE_ADDRESS}/24"
        words = [sys.executable, "-I", str(_INNER), str(self.folder), address, flags.DNS_SERVICE]
        self.node.start([*words, *_texts(kept)], entering=[*wrapper, "--mount-proc"])
        until(ready.exists, self.node, "its namespaces", patience=20, every=0.01)

    def entering(self, *kinds: str) -> list[str]:
        """The command before another command that runs it inside; `kinds` as nsenter names them.

        `net` and `mount` make a visitor that resolves and reaches Services; with `pid` the command
        belongs to the sandbox and ends with it.
        """
        process = self.node.process
        if process is None or not process.alive:
            raise self.node.failure("does not run")
        return ["nsenter", "--target", str(process.pid), *(f"--{kind}" for kind in kinds), "--"]

    def visiting(self, *kinds: str) -> list[str]:
        """As `entering`, keeping the working directory, which a change of mounts would reset."""
        return [
            *self.entering(*kinds),
            "sh", "-c", 'cd "$0" 2>/dev/null || cd /; exec "$@"', os.getcwd(),
        ]  # fmt: skip


def _texts(kept: Iterable[Path]) -> list[str]:
    return sorted(str(path.absolute()) for path in kept)
