"""One platform for all tests of this folder."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from gitops.platform import MODELS, OPERATOR, Platform, config
from gitops.repository import EXAMPLES, Repository
from gitops.watcher import Watcher
from sandbox import Mode, Options, Sandbox
from sandbox.argocd import ArgoCD
from story.images import operator_image, server_images


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
        argo = ArgoCD.up(sandbox, config(), resync=10)
        watcher = Watcher(argo)
        made = Platform(sandbox, argo, repository, watcher)
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
            yield made
        finally:
            watcher.stop()
