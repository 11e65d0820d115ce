"""`make demo`, `make demo-registry` and `make demo-down`, as in the README, in one cluster."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo import versions
from demo.registry.story import NAMESPACE as REGISTRY
from sandbox import clients, paths

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.needs("demo")
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """Runs a module of the checkout. `make demo-down` ends what it has started."""
    if os.geteuid() != 0:
        pytest.skip("a real node needs root")
    name = f"demo-{os.getpid()}"

    def run(module: str, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", module, *words],
            cwd=ROOT,
            env={**os.environ, "CANARIUM_SANDBOX": name, **more},
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    try:
        yield run
    finally:
        assert run("sandbox", "down").returncode == 0
    assert not paths.folder(name).exists()


@pytest.mark.rule("R4", "R7", "R8", "R9", "R14")
def test_demo_meets_every_expectation(run: Run, tmp_path: Path) -> None:
    demo = run("demo")
    assert demo.returncode == 0, demo.stdout[-4000:] + demo.stderr[-2000:]
    assert "v5 is promoted" in demo.stdout
    columns = run("sandbox", "kubectl", "get", "modeldeployment", "-A").stdout
    names = columns.splitlines()[0].split()
    assert names[:5] == ["NAMESPACE", "NAME", "PHASE", "READY", "VERSION"]
    assert names[5:9] == ["REVISION", "STEP", "WEIGHT", "WAITING"]
    # The commands that it prints at its end.
    kubeconfig = tmp_path / "demo.kubeconfig"
    kubeconfig.write_text(run("sandbox", "kubectl", "config", "view", "--raw").stdout)
    access = {"KUBECONFIG": str(kubeconfig), "KUBECTL": str(clients.find("kubectl"))}
    assert "canarium_cli.main dashboard --port" in demo.stdout
    for words in (
        ["get", "fraud", "-n", versions.NAMESPACE],
        ["why", "fraud", "-n", versions.NAMESPACE],
        ["list", "-A"],
    ):
        assert " ".join(["canarium_cli.main", *words]) in demo.stdout
        shown = run("canarium_cli.main", *words, **access)
        assert (shown.returncode, "fraud" in shown.stdout) == (0, True), shown.stderr


@pytest.mark.rule("R4", "R7", "R8", "R9", "R14", "R26")
def test_registry_demo_meets_every_expectation(run: Run, figures: Callable[..., None]) -> None:
    """Its own expectations include those about the pages of MLflow and of the dashboard."""
    demo = run("demo.registry")
    assert demo.returncode == 0, demo.stdout[-6000:] + demo.stderr[-2000:]
    stages = ("promoted", "rolled back", "not retried", "agree")
    for stage in stages:
        assert re.search(rf"{stage} .* yes ", demo.stdout), stage
    for address in ("port-forward service/mlflow 5000", "canarium_cli.main dashboard --port"):
        assert address in demo.stdout
    table = demo.stdout.partition("Measured")[2]
    for what, value in re.findall(r"│ (\S.*?) +│ (\S.*?) +│", table):
        figures("an alias of MLflow, from its move", what=what, value=value)
    shown = run("sandbox", "kubectl", "-n", REGISTRY, "get", "modeldeployment", "fraud")
    assert shown.stdout.splitlines()[1].split()[1:4] == ["RolledBack", "False", "2"]
