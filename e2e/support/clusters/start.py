"""Starts the cluster that `--cluster` chose, without the operator."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from sandbox import Mode, NotOffered, Options, Sandbox
from support.clusters import existing, kind
from support.clusters.needs import Cluster

#: Starts a cluster whose name begins so, in a folder for its files.
Start = Callable[[str], AbstractContextManager[Sandbox]]


def check(config: pytest.Config) -> None:
    """Raises UsageError for options that cannot start a cluster."""
    chosen = Cluster(config.getoption("--cluster"))
    if chosen is Cluster.KIND:
        kind.choice(config)
    elif chosen is Cluster.EXISTING and not config.getoption("--context"):
        raise pytest.UsageError("--cluster=existing needs --context, a context of your kubeconfig")
    elif chosen is Cluster.EXISTING and not config.getoption("--load-images").strip():
        raise pytest.UsageError(
            "--cluster=existing needs --load-images, a command that makes the images of an archive "
            "available to the nodes, such as 'kind load image-archive --name NAME'"
        )


def starter(config: pytest.Config, folder: Callable[[], Path]) -> Start:
    """Returns what starts clusters of this run; `folder` makes a new folder."""
    chosen = Cluster(config.getoption("--cluster"))

    @contextmanager
    def start(name: str) -> Iterator[Sandbox]:
        name = f"{name}-{os.getpid()}"
        if chosen is Cluster.NATIVE:
            _require_root()
            with Sandbox.up(Options(name=name, mode=Mode.NATIVE, owner=os.getpid())) as sandbox:
                yield sandbox
        elif chosen is Cluster.KIND:
            with _kind(config, name, folder()) as sandbox:
                yield sandbox
        else:
            with _existing(config, name) as sandbox:
                yield sandbox

    return start


def _require_root() -> None:
    if os.geteuid() != 0:
        reason = "a real node needs root; `make test-kind` needs only Docker"
        if os.environ.get("CI"):
            pytest.fail(f"{reason}; in CI these tests must run")
        pytest.skip(reason)


@contextmanager
def _kind(config: pytest.Config, name: str, folder: Path) -> Iterator[Sandbox]:
    # The first cluster of a run has the name that was asked for.
    suffix = "" if name.startswith("e2e-") else f"-{name.partition('-')[0]}"
    with kind.cluster(kind.choice(config), suffix, folder) as running:
        options = Options(
            name=name, mode=Mode.EXTERNAL, kubeconfig=running.kubeconfig, loads=running.loads,
            owner=os.getpid(),
        )  # fmt: skip
        with Sandbox.up(options) as sandbox:
            sandbox.audit_log.symlink_to(running.audit_log)
            words = ("wait", "node", "--all", "--for=condition=Ready", "--timeout=180s")
            sandbox.kubectl(*words)
            words = ("-n", "kube-system", "rollout", "status", "deployment/coredns")
            sandbox.kubectl(*words, "--timeout=180s")
            yield sandbox


@contextmanager
def _existing(config: pytest.Config, name: str) -> Iterator[Sandbox]:
    context = config.getoption("--context")
    loads = shlex.split(config.getoption("--load-images"))
    options = Options(
        name=name, mode=Mode.EXTERNAL, context=context, loads=loads, owner=os.getpid()
    )
    # A failure here is one message, not one for each test.
    try:
        started = Sandbox.up(options)
    except NotOffered as unreachable:
        pytest.exit(f"--context {context}: {unreachable}", returncode=4)
    with started as sandbox:
        try:
            existing.refuse_unmarked(sandbox)
        except existing.Refused as refused:
            pytest.exit(f"--context {context}: {refused}", returncode=4)
        before = existing.objects(sandbox)
        try:
            yield sandbox
        finally:
            existing.clean(sandbox, before)
