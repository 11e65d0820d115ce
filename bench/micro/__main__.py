"""Compares the micro-benchmarks of this tree with those of the commit before, by ratio.

Both trees run in turn, several times, so that a machine whose speed drifts slows both. The
benchmarks are this tree's; a benchmark that the older code cannot run is reported as new.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median

_ROOT = Path(__file__).parents[2]
Times = dict[str, list[float]]


def main() -> int:
    """0: nothing got slower by more than `--most`; 1: something did."""
    parser = argparse.ArgumentParser(prog="python -m bench.micro", description=__doc__)
    parser.add_argument("--before", default="HEAD^", help="the commit to compare with")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--most", type=float, default=1.5, help="the ratio that is too much")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        old = Path(scratch, "before")
        _git("worktree", "add", "--detach", str(old), given.before)
        try:
            now: Times = {}
            before: Times = {}
            for _ in range(given.rounds):
                _add(now, _round(_ROOT, Path(scratch)))
                _add(before, _round(old, Path(scratch)))
        finally:
            _git("worktree", "remove", "--force", str(old))
    ratios = compared(now, before)
    print("| benchmark | now µs | before µs | ratio |\n| --- | --- | --- | --- |")
    for name, times in sorted(now.items()):
        past, ratio = before.get(name), ratios.get(name)
        shown = (f"{1e6 * median(past):.1f}", f"{ratio:.2f}") if past and ratio else ("–", "new")
        print(f"| {name} | {1e6 * median(times):.1f} | {shown[0]} | {shown[1]} |")
    return 1 if any(ratio > given.most for ratio in ratios.values()) else 0


def compared(now: Mapping[str, list[float]], before: Mapping[str, list[float]]) -> dict[str, float]:
    """The median over the rounds of now / before, of each pair of rounds that ran in turn."""
    return {
        name: median(a / b for a, b in zip(times, before[name], strict=False))
        for name, times in now.items()
        if before.get(name)
    }


def _round(tree: Path, scratch: Path) -> dict[str, float]:
    """Median seconds by benchmark, with the operator of `tree`; empty when nothing ran."""
    out = scratch / "round.json"
    out.unlink(missing_ok=True)
    subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"),
            *(str(_ROOT / "bench/micro/test_core.py"), f"--benchmark-json={out}"),
            *("--benchmark-max-time=0.5", "--benchmark-disable-gc"),
        ],
        env={**os.environ, "PYTHONPATH": str(tree / "operator")},
        cwd=_ROOT,
        stdout=subprocess.DEVNULL,
        check=False,
    )
    if not out.exists() or not out.stat().st_size:
        return {}
    report = json.loads(out.read_text())
    return {b["name"]: b["stats"]["median"] for b in report["benchmarks"]}


def _add(times: Times, one: Mapping[str, float]) -> None:
    for name, seconds in one.items():
        times.setdefault(name, []).append(seconds)


def _git(*words: str) -> None:
    subprocess.run(["git", *words], cwd=_ROOT, check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    sys.exit(main())
