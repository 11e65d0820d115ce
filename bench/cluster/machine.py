"""This machine and the processes measured on it, read from /proc. All times are seconds."""

from __future__ import annotations

import os
import platform
import resource
from dataclasses import dataclass
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True, slots=True)
class Usage:
    """Returns the CPU seconds and resident bytes of a process; 0 after it has ended."""

    cpu: float
    memory: int


def usage(pid: int) -> Usage:
    """What the process `pid` has used."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return Usage(0.0, 0)
    return Usage((int(fields[11]) + int(fields[12])) / _TICK, pages * resource.getpagesize())


@dataclass(frozen=True, slots=True)
class Ticks:
    """The machine's CPU time since boot, over all processors."""

    busy: float
    stolen: float
    total: float


def ticks() -> Ticks:
    """From the first line of /proc/stat."""
    values = [int(x) for x in Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:9]]
    idle, stolen = values[3] + values[4], values[7]
    return Ticks((sum(values) - idle - stolen) / _TICK, stolen / _TICK, sum(values) / _TICK)


@dataclass(frozen=True, slots=True)
class Disturbance:
    """Shares of the machine's CPU time that the measurement did not get, 0 to 1."""

    stolen: float
    others: float

    @property
    def disturbed(self) -> bool:
        return self.stolen > 0.02 or self.others > 0.10

    def __str__(self) -> str:
        return f"steal {self.stolen:.1%}, other processes {self.others:.1%}"


def disturbance(before: Ticks, after: Ticks, own: float) -> Disturbance:
    """What happened between two readings beside the `own` CPU seconds of what is measured."""
    total = max(after.total - before.total, 1e-9)
    others = max(0.0, after.busy - before.busy - own)
    return Disturbance((after.stolen - before.stolen) / total, others / total)


def describe() -> dict[str, str]:
    """Returns a description of the machine for a report."""
    info = Path("/proc/cpuinfo").read_text()
    model = next(
        (line.split(":", 1)[1].strip() for line in info.splitlines() if "model name" in line),
        platform.machine(),
    )
    memory = os.sysconf("SC_PHYS_PAGES") * resource.getpagesize() / 2**30
    return {
        "processors": f"{os.cpu_count()} × {model}",
        "memory": f"{memory:.0f} GiB",
        "kernel": platform.release(),
        "python": platform.python_version(),
    }
