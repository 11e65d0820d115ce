"""The report as Markdown. Pure but for the date and the machine."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import UTC, datetime

from bench.budgets import Line
from bench.cluster import machine
from bench.contenders.builds import PEERS, version
from bench.measure import Measured
from bench.run import Results
from canarium import VERSION
from sandbox import binaries

_WORDS = {True: "pass", False: "**FAIL**", None: "–"}
_GOALS = {True: "reached", False: "missed", None: ""}


def table(lines: Sequence[Line]) -> str:
    """The budgets, as a table."""
    rows = [
        (str(x.n), x.what, x.figure, x.limit, _WORDS[x.passed], x.goal, _GOALS[x.reached])
        for x in lines
    ]
    return _table(("objects", "budget", "figure", "limit", "", "goal", ""), rows)


def report(
    results: Results, lines: Sequence[Line], sizes: Sequence[int], pictures: Sequence[str]
) -> str:
    """The whole report."""
    parts = [
        "# Scale, latency and cost",
        "Made by `python -m bench`; figures are of one run, and differences under 15 % are noise. "
        "Every contender had a fresh cluster of the same kind: etcd without fsync, audit log on, "
        "kwok's nodes, controllers that are not rate-limited. All of it shares the processors.",
        _setting(results, sizes),
        "## Budgets",
        table(lines),
        "## The floor: the same objects by a client that decides nothing",
        _floors(results),
        "## Phases",
        _phases(results.phases),
        "## Requests per object",
        "Writes are what the API server stores; a dry run stores nothing and is listed separately.",
        _requests(results.phases),
        "## Cost",
        _costs(results.phases),
        *(f"![{name}]({name})" for name in pictures),
    ]
    if results.skipped:
        parts += ["## Not measured", "\n".join(f"- {text}" for text in results.skipped)]
    return "\n\n".join(parts) + "\n"


def _setting(results: Results, sizes: Sequence[int]) -> str:
    facts = machine.describe()
    kubernetes = binaries.version(binaries.TOOLS["kube-apiserver"])
    disturbed = [p for p in results.phases if p.disturbance.disturbed]
    facts |= {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "canarium": VERSION,
        "Kubernetes": kubernetes,
        "kwok": binaries.version(binaries.TOOLS["kwok"]),
        **{name: version(name) for name in PEERS},
        "objects": ", ".join(map(str, sizes)),
    }
    rows = [(name, value) for name, value in facts.items()]
    disturbance = (
        "No phase was disturbed: CPU steal below 2 %, other processes below 10 % of the machine."
    )
    if disturbed:
        disturbance = (
            "**Disturbed** (CPU steal over 2 % or other processes over 10 %), so that their "
        )
        disturbance += "times mean little: "
        disturbance += "; ".join(
            f"{p.contender} {p.phase} at {p.n} ({p.disturbance})" for p in disturbed
        )
    return _table(("", ""), rows) + "\n\n" + disturbance


def _floors(results: Results) -> str:
    rows = [
        (
            *(str(n), str(floor.connections), f"{floor.created:.1f}", f"{floor.ready:.1f}"),
            *(f"{floor.updated:.1f}", f"{floor.switched:.1f}"),
        )
        for n, floors in results.floors.items()
        for floor in floors
    ]
    head = ("objects", "connections", "written s", "pods ready s", "updated s", "switched off s")
    return _table(head, rows)


def _phases(phases: Sequence[Measured]) -> str:
    rows = []
    for p in phases:
        spreads = "; ".join(
            f"{name} {_time(s.p50)} / {_time(s.p99)} / {_time(s.most)}"
            for name, s in p.latencies.items()
        )
        figures = ", ".join(f"{name} {value:.3g}" for name, value in p.figures.items())
        rows.append((str(p.n), p.contender, p.phase, f"{p.wall:.1f}", spreads, figures))
    head = ("objects", "contender", "phase", "wall s", "latency s p50 / p99 / max", "besides")
    return _table(head, rows)


def _requests(phases: Sequence[Measured]) -> str:
    rows = []
    for p in phases:
        calls = ", ".join(
            f"{verb} {resource} {count / p.n:.2f}"
            for (verb, resource), count in sorted(p.calls.items(), key=lambda x: -x[1])
            if verb != "watch"
        )
        rows.append(
            (
                *(str(p.n), p.contender, p.phase, f"{p.writes / p.n:.2f}"),
                *(f"{p.events / p.n:.2f}", f"{p.reads / p.n:.2f}", calls),
            )
        )
    head = ("objects", "contender", "phase", "writes", "Events", "reads", "which")
    return _table(head, rows)


def _costs(phases: Sequence[Measured]) -> str:
    rows = []
    for p in phases:
        name = next((x for x in p.cpu if x in (p.contender, "rollouts", "flagger")), p.contender)
        own = p.cpu.get(name, math.nan)
        rows.append(
            (
                *(str(p.n), p.contender, p.phase, f"{own:.2f}", f"{1000 * own / p.n:.2f}"),
                *(f"{p.cpu.get(part, 0.0):.2f}" for part in ("apiserver", "controller-manager")),
                f"{p.cpu.get('driver', 0.0):.2f}",
                f"{p.memory.get(name, 0) / 1e6:.0f}",
                str(p.disturbance),
            )
        )
    head = (
        *("objects", "contender", "phase", "its CPU s", "CPU ms per object", "API server CPU s"),
        *("controllers CPU s", "driver CPU s", "memory MB", "disturbed by"),
    )
    return _table(head, rows)


def _time(seconds: float) -> str:
    return "–" if math.isnan(seconds) else f"{seconds:.2f}"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
