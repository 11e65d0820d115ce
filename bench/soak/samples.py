"""What the operator holds at a moment, and how much of it grew. All but `read` is pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from bench.cluster.machine import usage
from bench.contenders.canarium import Samples

#: Most growth from the second to the last quarter of a run, as a share, and the number up to which
#: it does not count. Memory is in bytes; the queue's oldest key is in seconds. A model has more
#: series after its first rollback.
LIMITS = {
    "memory": (0.05, 4e6),
    "sockets and files": (0.1, 8.0),
    "threads": (0.0, 2.0),
    "tasks": (0.1, 16.0),
    "series": (0.15, 100.0),
    "oldest key": (0.5, 5.0),
}


@dataclass(frozen=True, slots=True)
class Sample:
    """The operator at POSIX seconds `at`; `holds` has a figure for each of LIMITS."""

    at: float
    holds: dict[str, float]


@dataclass(frozen=True, slots=True)
class Growth:
    """Mean figures of the second and of the last quarter of a run."""

    what: str
    before: float
    after: float

    @property
    def passed(self) -> bool:
        share, number = LIMITS[self.what]
        return self.after - self.before <= max(share * self.before, number)

    def __str__(self) -> str:
        change = self.after / self.before - 1 if self.before else 0.0
        return f"{self.what}: {self.before:,.1f} → {self.after:,.1f} ({change:+.1%})"


def read(at: float, pid: int, metrics: Samples) -> Sample:
    """Returns what the process `pid` holds, whose complete metrics are `metrics`."""
    process = Path(f"/proc/{pid}")
    return Sample(
        at,
        {
            "memory": usage(pid).memory,
            "sockets and files": len(list((process / "fd").iterdir())),
            "threads": len(list((process / "task").iterdir())),
            "tasks": metrics["canarium_tasks",],
            "series": len(metrics),
            "oldest key": metrics["canarium_queue_oldest_seconds",],
        },
    )


def growth(samples: Sequence[Sample]) -> list[Growth]:
    """Returns how each figure grew. The first quarter is not judged: caches fill in it.

    Raises ValueError for fewer than four samples.
    """
    if len(samples) < 4:
        raise ValueError(f"{len(samples)} samples have no quarters")
    quarter = len(samples) // 4
    second, last = samples[quarter : 2 * quarter], samples[-quarter:]
    return [
        Growth(what, mean(s.holds[what] for s in second), mean(s.holds[what] for s in last))
        for what in LIMITS
    ]
