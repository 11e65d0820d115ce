"""The budgets and their measured values; a budget without a measurement is reported as such.

A limit fails the run. Those of `docs/decisions/0075` are 15 % above what was measured, and guard
against a regression; beside each is its goal, which is reported and fails nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from bench.floors.floor import Floor
from bench.measure import Measured
from bench.phases.breaking import OFF
from bench.phases.faulty import FAULTS, Faulty
from bench.phases.restart import KILLED, LISTED
from bench.run import Results

#: Record, Deployment and Service, and two statuses.
_CREATION = 5.0
#: Of objects, and Events: one for each transition (started, weight, promoted; decision 0031).
_UPDATE, _EVENTS = 8.0, 3.0
_THROTTLED = 0.7
#: Limit and goal: an answer 503 makes the operator send less, as 429 does.
_FAULTY = (0.3, 0.7)
#: Milliseconds until a person sees the help, and seconds until the tree of a model.
_HELP, _GET = 150.0, 0.5
#: Milliseconds of them for what the program imports, and seconds until all models are listed.
_IMPORTS, _LIST = 100.0, 4.0
#: Times of many objects are budgets of a thousand.
_MANY = 1000
_RIVAL = "rollouts (raised QPS)"
_MB = 1e6
#: Ratios to the floors of the same run (decision 0061): limit and goal (0075).
_PROMOTED, _RESTARTED, _OFF = (2.0, 1.4), (5.0, 4.0), (3.0, 2.0)
_FAILOVER = 1.2
#: A kill costs no more than a restart.
_KILLED = 1.3
#: Seconds after which another process may take the Lease of one that was killed, and between its
#: attempts.
_LEASE = 15.0 + 2.0


@dataclass(frozen=True, slots=True)
class Line:
    """One budget at one size. `passed` is None when it was not measured; `reached` also without
    a goal."""

    n: int
    what: str
    figure: str
    limit: str
    passed: bool | None
    goal: str = ""
    reached: bool | None = None


def budgets(results: Results, sizes: Sequence[int]) -> list[Line]:
    """Every budget at every size."""
    return [line for n in sizes for line in _at(results, n)]


def _faulty(n: int, fault: str, measured: Faulty | None) -> Line:
    what = (
        f"writes/s where the API server is faulty ({fault}), beside the lower of an optimal "
        "client's and our own without faults"
    )
    figure = f"{measured.share:.0%}" if measured else "not measured"
    least, goal = _FAULTY
    passed = measured.share >= least if measured else None
    reached = measured.share >= goal if measured else None
    return Line(n, what, figure, f"≥ {least:.0%}", passed, f"≥ {goal:.0%}", reached)


def _at(results: Results, n: int) -> list[Line]:
    def floor(what: Callable[[Floor], float]) -> float:
        return min(map(what, results.floors.get(n, ())), default=0.0)

    created_floor = floor(lambda f: f.created)
    updated_floor = floor(lambda f: f.updated)
    switched_floor = floor(lambda f: f.switched)

    def phase(name: str) -> Measured | None:
        measured = [
            p for p in results.phases if p.phase == name and p.contender.startswith("canar")
        ]
        near = [p for p in measured if p.n <= n and n - p.n <= 20] or []
        return near[-1] if near else None

    def line(
        what: str,
        measured: Measured | None,
        figure: Callable[[Measured], float],
        limit: float | tuple[float, float],
        unit: str = "",
        *,
        strict: bool = False,
        many: bool = False,
    ) -> Line:
        """`limit` may be a limit and a goal. With `many`, few objects are not judged: the time of
        few is mostly that of fixed pauses and of the first signal."""
        most, goal = limit if isinstance(limit, tuple) else (limit, None)
        bound = f"{'<' if strict else '≤'} {most:g}{unit}"
        wish = f"≤ {goal:g}{unit}" if goal is not None else ""
        if measured is None:
            return Line(n, what, "not measured", bound, None, wish)
        value = figure(measured)
        if many and n < _MANY:
            return Line(n, what, f"{value:.3g}{unit}", f"{bound} at {_MANY:,}", None, wish)
        passed = value < most if strict else value <= most
        reached = None if goal is None else value <= goal
        return Line(n, what, f"{value:.3g}{unit}", bound, passed, wish, reached)

    created, changed, still = phase("create"), phase("update"), phase("idle")
    typed = phase("cli")
    again, broken = phase("restart"), phase("break one by one")
    killed, crowd = phase("failover by SIGKILL"), phase("break all at once")
    restarted = phase(KILLED)
    rival = results.find(_RIVAL, "update", n)
    memory = 120.0 if n <= 1000 else 300.0
    beside = created if created_floor else None
    most = max(
        (m.memory.get(m.contender, 0) for m in results.phases if abs(m.n - n) <= 20), default=0
    )
    few = results.throttled.get(n)
    return [
        *(_faulty(n, fault, results.faulty.get(fault)) for fault in FAULTS),
        Line(
            n,
            "writes/s where the API server refuses, beside the lower of an optimal client's "
            "and our own without refusals",
            f"{few.share:.0%}" if few else "not measured",
            f"≥ {_THROTTLED:.0%}",
            few.share >= _THROTTLED if few else None,
        ),
        line(
            "all children exist, beside the same requests by a client that decides nothing",
            beside,
            lambda m: m.figures["children wall s"] / created_floor,
            1.3,
            " ×",
            many=True,
        ),
        line(
            "all Ready, beside the same requests by a client that decides nothing",
            beside,
            lambda m: m.wall / created_floor,
            1.5,
            " ×",
            many=True,
        ),
        line(
            "all promoted, beside Rollouts at raised QPS",
            changed if rival else None,
            lambda m: m.wall / rival.wall if rival else 0.0,
            0.6,
            " ×",
            strict=True,
            many=True,
        ),
        line(
            "all promoted, beside the same changes by a client that decides nothing",
            changed if updated_floor else None,
            lambda m: m.wall / updated_floor,
            _PROMOTED,
            " ×",
            many=True,
        ),
        line("writes per object at creation", created, lambda m: m.writes / m.n, _CREATION),
        line("writes per object and update", changed, lambda m: m.writes / m.n, _UPDATE),
        line("Events per object and update", changed, lambda m: m.events / m.n, _EVENTS),
        line("writes in the steady state", still, lambda m: m.writes + m.events, 0),
        line("reads but watches in the steady state", still, lambda m: m.reads, 0),
        line("writes at a restart", again, lambda m: m.writes + m.events, 0),
        line(
            "restart until all were reconciled, beside a process that only lists them",
            again,
            lambda m: m.wall / m.figures[LISTED],
            _RESTARTED,
            " ×",
        ),
        line(
            "leader killed until the next one leads, beside the times of the Lease",
            killed,
            lambda m: m.wall / _LEASE,
            _FAILOVER,
            " ×",
        ),
        line(
            "leader killed until its restarted container has reconciled all, beside a restart",
            restarted if again else None,
            lambda m: m.wall / again.wall if again else 0.0,
            _KILLED,
            " ×",
        ),
        line(
            "all broken at once until no traffic is left, beside the bare writes",
            crowd if switched_floor else None,
            lambda m: m.figures[OFF] / switched_floor,
            _OFF,
            " ×",
            many=True,
        ),
        line(
            "failure to decision, p99",
            broken,
            lambda m: m.latencies["decision"].p99,
            1,
            " s",
            strict=True,
        ),
        line(
            "command line: --help, median",
            typed,
            lambda m: 1000 * m.latencies["help"].p50,
            _HELP,
            " ms",
            strict=True,
        ),
        line(
            "command line: get, median",
            typed,
            lambda m: m.latencies["get"].p50,
            _GET,
            " s",
            strict=True,
        ),
        line(
            "command line: imports of --help, median",
            typed,
            lambda m: 1000 * m.latencies["imports"].p50,
            _IMPORTS,
            " ms",
            strict=True,
        ),
        line(
            "command line: list -A, median",
            typed,
            lambda m: m.latencies["list"].p50,
            _LIST,
            " s",
            strict=True,
        ),
        line("memory", created if most else None, lambda _: most / _MB, memory, " MB", strict=True),
        line(
            "CPU in the steady state, of one processor",
            still,
            lambda m: 100 * m.cpu[m.contender] / m.wall,
            2,
            " %",
            strict=True,
        ),
    ]
