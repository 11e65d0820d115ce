"""`make demo` and `make demo-down`, as in the README."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox import paths

ROOT = Path(__file__).parents[1]


@pytest.mark.rule("R4", "R7", "R8", "R9", "R14")
def test_demo_meets_every_expectation_and_leaves_nothing_behind() -> None:
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
        told = run("demo")
        assert told.returncode == 0, told.stdout[-4000:] + told.stderr[-2000:]
        assert "v5 is promoted" in told.stdout
        columns = run("sandbox", "kubectl", "get", "modeldeployment", "-A").stdout
        names = columns.splitlines()[0].split()
        assert names[:5] == ["NAMESPACE", "NAME", "PHASE", "READY", "VERSION"]
        assert names[5:9] == ["REVISION", "STEP", "WEIGHT", "WAITING"]
    finally:
        assert run("sandbox", "down").returncode == 0
    assert not paths.folder(name).exists()
