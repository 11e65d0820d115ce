"""`make demo`, `make demo-registry` and `make demo-down`, as in the README, in one cluster."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from demo.registry.story import NAMESPACE as REGISTRY
from sandbox import paths

ROOT = Path(__file__).parents[1]
pytestmark = pytest.mark.needs("demo")
Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    """Runs a module of the checkout, or `bash`. `make demo-down` ends what it has started."""
    if os.geteuid() != 0:
        pytest.skip("a real node needs root")
    name = f"demo-{os.getpid()}"

    def run(module: str, *words: str, **more: str) -> subprocess.CompletedProcess[str]:
        command = (
            ["bash", "-c", *words] if module == "bash" else [sys.executable, "-m", module, *words]
        )
        return subprocess.run(
            command,
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
def test_demo_meets_every_expectation(run: Run) -> None:
    demo = run("demo")
    assert demo.returncode == 0, demo.stdout[-4000:] + demo.stderr[-2000:]
    assert "v5 is promoted" in demo.stdout
    columns = run("sandbox", "kubectl", "get", "modeldeployment", "-A").stdout
    names = columns.splitlines()[0].split()
    assert names[:5] == ["NAMESPACE", "NAME", "PHASE", "READY", "VERSION"]
    assert names[5:9] == ["REVISION", "STEP", "WEIGHT", "WAITING"]
    explored = explore(demo.stdout, run)
    for words in ("Phase       Ready", "Nothing is wrong", "operator: Deployment/canarium"):
        assert words in explored


def explore(printed: str, run: Run) -> str:
    """Runs the commands that a demo prints at its end, as its user would, but for those that serve
    until they are interrupted; returns what they print."""
    listed = printed.partition("in this folder:\n")[2].partition("To delete it:")[0]
    commands = [line[2:].split("  ")[0] for line in listed.splitlines()]
    served = ("dashboard --port", "port-forward")
    assert any("dashboard --port" in command for command in commands)
    once = [one for one in commands if not any(word in one for word in served)]
    assert len(once) >= 7
    try:
        done = run("bash", "\n".join(["set -e", *once]))
    finally:
        (ROOT / "demo.kubeconfig").unlink(missing_ok=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    return done.stdout


@pytest.mark.rule("R4", "R7", "R8", "R9", "R14", "R26")
def test_registry_demo_meets_every_expectation(run: Run, figures: Callable[..., None]) -> None:
    """Its own expectations include those about the pages of MLflow and of the dashboard."""
    demo = run("demo.registry")
    assert demo.returncode == 0, demo.stdout[-6000:] + demo.stderr[-2000:]
    stages = ("promoted", "rolled back", "not retried", "agree")
    for stage in stages:
        assert re.search(rf"{stage} .* yes ", demo.stdout), stage
    assert "port-forward service/mlflow 5000" in demo.stdout
    assert "Ready" in explore(demo.stdout, run)
    table = demo.stdout.partition("Measured")[2]
    for what, value in re.findall(r"│ (\S.*?) +│ (\S.*?) +│", table):
        figures("an alias of MLflow, from its move", what=what, value=value)
    shown = run("sandbox", "kubectl", "-n", REGISTRY, "get", "modeldeployment", "fraud")
    assert shown.stdout.splitlines()[1].split()[1:4] == ["RolledBack", "False", "2"]
