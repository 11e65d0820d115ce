"""`make demo` and `make demo-down`, as in the README."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from demo.story import NAMESPACE
from sandbox import clients, paths

ROOT = Path(__file__).parents[1]


@pytest.mark.needs("demo")
@pytest.mark.rule("R4", "R7", "R8", "R9", "R14")
def test_demo_meets_every_expectation_and_leaves_nothing_behind(tmp_path: Path) -> None:
    if os.geteuid() != 0:
        pytest.skip("a real node needs root")
    name = f"demo-{os.getpid()}"
    environment = {**os.environ, "CANARIUM_SANDBOX": name}

    def run(module: str, *words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", module, *words],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )

    try:
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
        environment |= {"KUBECONFIG": str(kubeconfig), "KUBECTL": str(clients.find("kubectl"))}
        assert "canarium_cli.main dashboard --port" in demo.stdout
        for words in (
            ["get", "fraud", "-n", NAMESPACE],
            ["why", "fraud", "-n", NAMESPACE],
            ["list", "-A"],
        ):
            assert " ".join(["canarium_cli.main", *words]) in demo.stdout
            shown = run("canarium_cli.main", *words)
            assert (shown.returncode, "fraud" in shown.stdout) == (0, True), shown.stderr
    finally:
        assert run("sandbox", "down").returncode == 0
    assert not paths.folder(name).exists()
