"""The soak of `make bench-soak` in short, on a real API server."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.rule("R31")
def test_operator_does_not_grow_while_models_change_beside_faults() -> None:
    size = ["--minutes", "0.75", "--models", "20", "--rate", "2", "--seed", "1"]
    command = [sys.executable, "-m", "bench.soak", *size]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-3000:]}"
    assert "every model reached its last version" in done.stdout
    assert " 0 versions failed" not in done.stdout, done.stdout
