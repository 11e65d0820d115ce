"""Layers of Python packages, installed for the Python of the base layer and not the host's."""

from __future__ import annotations

import hashlib
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from sandbox.images.layers import Layer, LayerFailed, cached, tree, write_entries
from sandbox.images.rootfs import PYTHON
from sandbox.progress import Progress

# Debian's Python imports from here by default.
_TARGET = f"/usr/local/lib/python{PYTHON}/dist-packages"


def pip(requirements: Sequence[str], *, at: str = _TARGET, dependencies: bool = True) -> Layer:
    """A layer with `requirements` (lines of a requirements file) installed at `at`.

    Without `dependencies` exactly these, for a layer on top of one that has the rest. Only wheels
    for Linux with glibc are taken. Cached by the lines. Raises LayerFailed.
    """
    lines = "\n".join(requirements)
    alone = () if dependencies else ("alone",)
    what = (lines, at, PYTHON, platform.machine(), *alone)
    key = hashlib.sha256(repr(what).encode()).hexdigest()[:16]

    def make(unfinished: Path) -> None:
        with tempfile.TemporaryDirectory() as name:
            site = Path(name) / "site"
            wanted = Path(name) / "requirements.txt"
            wanted.write_text(lines)
            with Progress().step(f"installing {_title(requirements)}", long=True):
                _install(wanted, site, *(() if dependencies else ("--no-deps",)))
                _compile(site, at)
                write_entries(unfinished, tree(site, at))

    return cached(f"pip-2-{key}", make)


def install_command(wanted: Path, site: Path, uv: str | None) -> list[str]:
    """The command that installs `wanted` into `site`, by uv where there is one."""
    machine = platform.machine()
    if uv:
        words = [uv, "pip", "install", "-q", f"--python-platform={machine}-manylinux_2_28"]
        words += ["--link-mode=copy"]
    else:
        words = [sys.executable, "-m", "pip", "install", "-q", "--no-compile"]
        # pip takes a wheel only when its tag is named, newest first.
        tags = ("manylinux_2_28", "manylinux_2_17", "manylinux2014")
        words += [f"--platform={tag}_{machine}" for tag in tags]
    words += [f"--python-version={PYTHON}", "--only-binary=:all:"]
    return [*words, f"--target={site}", "-r", str(wanted)]


def _install(wanted: Path, site: Path, *more: str) -> None:
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    done = subprocess.run(
        [*install_command(wanted, site, uv), *more], capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise LayerFailed(f"{wanted.read_text()}\n{done.stderr[-2000:]}")


def _compile(site: Path, at: str) -> None:
    """Adds bytecode, so that not every start of a container compiles everything again."""
    if f"{sys.version_info.major}.{sys.version_info.minor}" != PYTHON:
        return
    # By hash and unchecked: an image's files all have time zero. In a fresh process and one file
    # after the other: what was compiled before decides which strings are interned, so the bytes.
    words = ["-qq", "-j1", "--invalidation-mode", "unchecked-hash", "-s", str(site), "-p", at]
    compiler = [sys.executable, "-I", "-m", "compileall", *words, str(site)]
    # Some packages ship files that do not compile.
    subprocess.run(compiler, capture_output=True, check=False)


def _title(requirements: Sequence[str]) -> str:
    names = [line for line in requirements if line and not line.lstrip().startswith(("#", "-"))]
    return ", ".join(names) if len(names) <= 3 else f"{len(names)} Python packages"
