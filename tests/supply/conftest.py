"""The environment of the demo models."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import paths

_LOCK = Path(__file__).parents[2] / "requirements" / "demo-models.txt"


@pytest.fixture(scope="session")
def sklearn_python() -> Path:
    """Python with the libraries of the model server's image, made once for each lock."""
    if sys.version_info >= (3, 13):
        pytest.skip("the numpy of the image has no wheel for this Python")
    key = hashlib.sha256(_LOCK.read_bytes()).hexdigest()[:12]
    venv = paths.cache() / f"demo-models-{key}"
    with paths.locked(paths.cache() / ".demo-models.lock"):
        if not (venv / "done").exists():
            shutil.rmtree(venv, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", venv], check=True)
            install = [venv / "bin" / "pip", "install", "-q", "--no-compile", "--require-hashes"]
            subprocess.run([*install, "-r", _LOCK], check=True)
            (venv / "done").touch()
    return venv / "bin" / "python"
