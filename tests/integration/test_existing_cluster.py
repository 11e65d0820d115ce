"""`pytest e2e --cluster=existing`: which clusters it refuses, and that it leaves nothing behind."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox import Mode, Options, Sandbox
from sandbox.controlplane import ControlPlane
from support.clusters import existing

ROOT = Path(__file__).parents[2]
LOADS = "--load-images=true"
WHERE = ("-n", existing.NAMESPACE)
MARK = (*WHERE, "create", "configmap", existing.MARK, "--from-literal=disposable=true")


@pytest.fixture
def empty(tmp_path: Path) -> Iterator[ControlPlane]:
    """A separate API server, since its operator and CRDs are deleted."""
    plane = ControlPlane(tmp_path / "plane")
    try:
        plane.up()
        yield plane
    finally:
        plane.down()


@pytest.fixture
def sandbox(empty: ControlPlane, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sandbox:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    return Sandbox.up(Options(name="yours", mode=Mode.EXTERNAL, kubeconfig=empty.kubeconfig))


def pytest_e2e(kubeconfig: Path, *options: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", "e2e/test_rollout.py", "--cluster=existing"]
    return subprocess.run(
        [*command, "-p", "no:cacheprovider", *options], cwd=ROOT, capture_output=True, text=True,
        env={**os.environ, "KUBECONFIG": str(kubeconfig)}, timeout=120, check=False,
    )  # fmt: skip


def test_unmarked_cluster_is_refused_in_one_message_that_states_how_to_mark_it(
    empty: ControlPlane, sandbox: Sandbox
) -> None:
    done = pytest_e2e(empty.kubeconfig, "--context=sandbox", LOADS)
    assert done.returncode == 4, done.stdout
    assert f"kubectl --context sandbox {' '.join(MARK)}" in done.stdout
    assert done.stdout.count("is not marked for tests") == 1
    with pytest.raises(existing.Refused, match="not marked"):
        existing.refuse_unmarked(sandbox)
    empty.kubectl(*WHERE, "create", "configmap", existing.MARK)
    with pytest.raises(existing.Refused, match="not marked"):
        existing.refuse_unmarked(sandbox)
    empty.kubectl(*WHERE, "delete", "configmap", existing.MARK)
    empty.kubectl(*MARK)
    existing.refuse_unmarked(sandbox)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((LOADS,), "--cluster=existing needs --context, a context"),
        (("--context=sandbox",), "--cluster=existing needs --load-images, a command"),
        (("--context=other", LOADS), '--context other: .*\n.*context "other" does not exist'),
    ],
)
def test_option_that_is_missing_or_wrong_is_one_message(
    tmp_path: Path, options: tuple[str, ...], message: str
) -> None:
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text("apiVersion: v1\nkind: Config\n")
    done = pytest_e2e(kubeconfig, *options)
    assert done.returncode == 4, done.stdout
    assert len(re.findall(message, done.stdout + done.stderr)) == 1
    assert "Traceback" not in done.stdout + done.stderr


def test_marked_cluster_with_canarium_is_refused_and_one_that_is_cleaned_is_as_before(
    empty: ControlPlane, sandbox: Sandbox
) -> None:
    empty.kubectl(*MARK)
    before = existing.objects(sandbox)
    empty.kubectl("apply", "--server-side", "-f", str(ROOT / "crds"))
    empty.kubectl("create", "namespace", "canarium")
    with pytest.raises(existing.Refused, match="has the CRDs of Canarium already"):
        existing.refuse_unmarked(sandbox)
    existing.clean(sandbox, before)
    assert existing.objects(sandbox) == before
    existing.refuse_unmarked(sandbox)


def test_what_a_test_left_behind_is_named(empty: ControlPlane, sandbox: Sandbox) -> None:
    before = existing.objects(sandbox)
    empty.kubectl("create", "namespace", "forgotten")
    with pytest.raises(AssertionError, match="left in the cluster: namespace/forgotten"):
        existing.clean(sandbox, before, seconds=1)
