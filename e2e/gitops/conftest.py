"""One platform for all tests of this folder."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator

import pytest

from gitops.platform import MODELS, OPERATOR, Platform
from gitops.repository import EXAMPLES, Repository
from gitops.watcher import Watcher
from sandbox import Mode, Options, Sandbox
from sandbox.argocd import ArgoCD
from support.docs import commands
from support.images import ROOT, operator_image, server_images


def started(sandbox: Sandbox) -> ArgoCD:
    """Argo CD by the sandbox's command line, taught by the commands of the docs."""
    up = [sys.executable, "-m", "sandbox", "--name", sandbox.options.name, "argocd", "up"]
    process = subprocess.run([*up, "--resync", "3"], text=True, capture_output=True, check=False)
    assert process.returncode == 0, process.stderr
    argo = ArgoCD.attach(sandbox)
    assert process.stdout.startswith(f"{argo.url} is Argo CD")
    lines = [line for line in commands("docs/guides/argocd.md") if line.startswith("kubectl ")]
    assert len(lines) == 2
    for line in lines:
        sandbox.kubectl(*(here(word) for word in shlex.split(line)[1:]))
    return argo


def here(word: str) -> str:
    """A word of a command, with a path of this checkout made whole."""
    return str(ROOT / word) if word.endswith(".yaml") else word


@pytest.fixture(scope="package")
def platform(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Platform]:
    """Argo CD has synced the app of apps: the operator runs, and v1 of the model serves."""
    if os.geteuid() != 0:
        reason = "a real node needs root"
        if os.environ.get("CI"):
            pytest.fail(f"{reason}; in CI these tests must run")
        pytest.skip(reason)
    options = Options(name=f"argocd-{os.getpid()}", mode=Mode.NATIVE, owner=os.getpid())
    with Sandbox.up(options) as sandbox:
        sandbox.load([operator_image(), *server_images()])
        repository = Repository(tmp_path_factory.mktemp("git") / "deployments")
        repository.model("v1")
        argo = started(sandbox)
        watcher = Watcher(argo)
        platform = Platform(sandbox, argo, repository, watcher)
        try:
            sandbox.kubectl("apply", "-f", "-", stdin=repository.example(EXAMPLES / "root.yaml"))
            for application in (OPERATOR, MODELS, "canarium"):
                watcher.until(
                    application,
                    lambda s: s.health == "Healthy" and s.sync == "Synced",
                    "Healthy and Synced",
                    since=0.0,
                    seconds=120,
                )
            yield platform
        finally:
            watcher.stop()
