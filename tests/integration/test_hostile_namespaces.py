"""Hostile namespaces beside a good one, on a real API server: `make bench-attack` in short."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.rule("R8", "R31")
def test_rollbacks_of_a_namespace_stay_fast_beside_hostile_ones() -> (
    None
):  # H2, H3, H4, H6, H7, H11
    """Without a bound, a hostile namespace stops the operator for minutes. The budget of a second
    is for `make bench-attack`, which shares the machine with nothing."""
    size = ["--namespaces", "2", "--models", "4", "--rounds", "1", "--crowd", "30"]
    command = [sys.executable, "-m", "bench.attack", *size, "--p99", "10"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=400)
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr[-3000:]}"
    assert "under attack: crash → traffic off" in done.stdout
