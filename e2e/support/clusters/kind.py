"""A kind cluster by pytest-kind, with its own options; the binary, its version and the node image.

pytest-kind reads KIND_VERSION when pytest loads it, before any code of this repository runs, so the
version and the place of the binary are passed explicitly.
"""

from __future__ import annotations

import os
import platform
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from sandbox import binaries, paths
from support.clusters import audit

#: Its default node image has the newest Kubernetes that it supports.
VERSION = binaries.version(binaries.TOOLS["kind"])
_RELEASES = "https://github.com/kubernetes-sigs/kind/releases/download"
_ARCHITECTURES = {"x86_64": "amd64", "aarch64": "arm64"}


@dataclass(frozen=True)
class Choice:
    """Which binary, node image and name; `download` is where the binary comes from if absent."""

    binary: Path
    image: str | None
    name: str
    keep: bool
    download: str


def choose(options: Mapping[str, Any], environment: Mapping[str, str], cache: Path) -> Choice:
    """Options of pytest-kind first, then the variables KIND_BIN, KIND_IMAGE and KIND_VERSION."""
    version = environment.get("KIND_VERSION") or VERSION
    binary = options["kind_bin"] or environment.get("KIND_BIN")
    machine = platform.machine()
    system = f"{platform.system().lower()}-{_ARCHITECTURES.get(machine, machine)}"
    return Choice(
        binary=Path(binary) if binary else cache / "bin" / f"kind-{version}",
        image=options["kind_image"] or environment.get("KIND_IMAGE") or None,
        name=options["cluster_name"],
        keep=bool(options["keep_cluster"]),
        download=environment.get("KIND_DOWNLOAD_URL") or f"{_RELEASES}/{version}/kind-{system}",
    )


def choice(config: pytest.Config) -> Choice:
    """The choice of this run. Raises UsageError where pytest-kind is missing."""
    names = ("kind_bin", "kind_image", "cluster_name", "keep_cluster")
    try:
        options = {name: config.getoption(name) for name in names}
    except ValueError as missing:
        raise pytest.UsageError(
            "--cluster=kind needs pytest-kind: run `make test-kind`, or delete .venv/.ready and "
            "run `make .venv/.ready` to install requirements/dev.txt again"
        ) from missing
    chosen = choose(options, os.environ, paths.cache())
    if not chosen.binary.exists() and (options["kind_bin"] or os.environ.get("KIND_BIN")):
        raise pytest.UsageError(f"--kind-bin or KIND_BIN: {chosen.binary} does not exist")
    return chosen


@dataclass(frozen=True)
class Running:
    """A cluster: its kubeconfig, the command that loads an image archive, its audit log."""

    kubeconfig: Path
    loads: list[str]
    audit_log: Path


@contextmanager
def cluster(chosen: Choice, suffix: str, folder: Path) -> Iterator[Running]:
    """A cluster until the end, unless it is to be kept. `suffix` distinguishes the clusters of one
    run. Ends the test run if another cluster has the name."""
    from pytest_kind import KindCluster

    chosen.binary.parent.mkdir(parents=True, exist_ok=True)
    os.environ["KIND_DOWNLOAD_URL"] = chosen.download
    name = f"{chosen.name}{suffix}"
    # A cluster that is kept needs files that outlive the run: in pytest-kind's own place.
    kubeconfig = None if chosen.keep else folder / "kubeconfig"
    kind_cluster = KindCluster(name, kubeconfig, image=chosen.image, kind_path=chosen.binary)
    kubeconfig = kind_cluster.kubeconfig_path.absolute()
    kind_cluster.ensure_kind()
    if name in _names(chosen.binary) and not _holds_text(kubeconfig):
        # A failure here is one message, not one for each test.
        pytest.exit(
            f"a kind cluster {name} exists, and no run with --keep-cluster made it: choose another "
            f"--cluster-name, or delete it with `kind delete cluster --name {name}`",
            returncode=4,
        )
    audited = kubeconfig.parent / "audit"
    kind_cluster.create(audit.config(audited))
    try:
        loads = [str(chosen.binary), "load", "image-archive", "--name", name]
        yield Running(kubeconfig, loads, audit.log(audited))
    finally:
        if not chosen.keep:
            kind_cluster.delete()


def _names(binary: Path) -> list[str]:
    return subprocess.check_output([binary, "get", "clusters"], encoding="utf-8").splitlines()


def _holds_text(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0
