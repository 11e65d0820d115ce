"""Plots of cost against the number of objects, as SVG files beside the report."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from operator import attrgetter
from pathlib import Path

from bench.measure import Measured
from bench.run import Results

Line = dict[str, list[tuple[int, float]]]


def plots(results: Results, folder: Path) -> list[str]:
    """Draws what there is; the files' names, relative to `folder`."""
    import matplotlib

    matplotlib.use("svg")
    # The same figures give the same file.
    matplotlib.rcParams.update({"svg.hashsalt": "canarium", "svg.fonttype": "none"})
    wanted = {
        "wall": ("seconds until all are done", lambda m: m.wall),
        "cpu": ("CPU seconds of the operator", lambda m: sum(_own(m))),
        "apiserver": ("CPU seconds of the API server", lambda m: m.cpu.get("apiserver", 0.0)),
    }
    target = folder / "plots"
    target.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, (title, value) in wanted.items():
        for phase in ("create", "update"):
            path = target / f"{name}-{phase}.svg"
            line = series(results.phases, phase, value)
            if name == "wall":
                bare = attrgetter("created" if phase == "create" else "updated")
                for n, floors in results.floors.items():
                    line["the bare writes"].append((n, min(map(bare, floors))))
            _draw(path, f"{phase}: {title}", line)
            paths.append(f"plots/{path.name}")
    return paths


def series(phases: list[Measured], phase: str, value: Callable[[Measured], float]) -> Line:
    """Points (objects, value) by contender."""
    lines: Line = defaultdict(list)
    for measured in phases:
        if measured.phase == phase:
            lines[measured.contender].append((measured.n, value(measured)))
    return lines


def _own(measured: Measured) -> list[float]:
    shared = {"apiserver", "etcd", "controller-manager", "scheduler", "kwok", "driver"}
    return [seconds for name, seconds in measured.cpu.items() if name not in shared]


def _draw(path: Path, title: str, line: Line) -> None:
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(6, 3.5))
    for name, points in sorted(line.items()):
        axes.plot(*zip(*sorted(points), strict=True), marker="o", label=name)
    axes.set(title=title, xlabel="objects", xlim=(0, None), ylim=(0, None))
    axes.legend()
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
