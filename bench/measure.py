"""One phase of one contender, measured: latencies, exact calls, CPU, memory, queue and loop."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from bench.cluster.audit import WRITES, Call, tally
from bench.cluster.fresh import Cluster
from bench.cluster.machine import Disturbance, Ticks, disturbance, ticks, usage
from bench.contenders.contender import Contender
from bench.stats import Spread

Calls = Counter[tuple[str, str]]
_SAMPLE = 0.5


@dataclass
class Measured:
    """What a phase gave. `wall` and latencies in seconds, `cpu` in seconds, `memory` in bytes.

    `figures` are numbers of this phase alone, such as the reconciles in it.
    """

    contender: str
    phase: str
    n: int
    wall: float = 0.0
    latencies: dict[str, Spread] = field(default_factory=dict)
    calls: Calls = field(default_factory=Counter)
    cpu: dict[str, float] = field(default_factory=dict)
    memory: dict[str, int] = field(default_factory=dict)
    figures: dict[str, float] = field(default_factory=dict)
    disturbance: Disturbance = field(default_factory=lambda: Disturbance(0.0, 0.0))

    @property
    def writes(self) -> int:
        """Writes of objects, Events left out."""
        return sum(
            count
            for (verb, resource), count in self.calls.items()
            if verb in WRITES and resource != "events"
        )

    @property
    def events(self) -> int:
        return sum(
            count
            for (verb, resource), count in self.calls.items()
            if verb in WRITES and resource == "events"
        )

    @property
    def reads(self) -> int:
        """Gets and lists; watches left out."""
        return sum(count for (verb, _), count in self.calls.items() if verb in ("get", "list"))


class MeasurementMissing(RuntimeError):
    """The audit log does not contain the measured calls."""


class Meter:
    """A measurement that runs: `seen` has the audited calls once it has ended."""

    def __init__(self, result: Measured) -> None:
        self.result = result
        self.began = time.time()
        self.seen: list[Call] = []

    def took(self, until: float | None = None) -> None:
        """Sets the wall time: until now, or POSIX seconds."""
        self.result.wall = (until or time.time()) - self.began


@asynccontextmanager
async def measuring(
    cluster: Cluster, contender: Contender, phase: str, n: int, *, sampled: bool = True
) -> AsyncIterator[Meter]:
    """Measures meanwhile. `sampled` also reads the contender's own metrics now and then, which an
    idle one would notice.
    """
    meter = Meter(Measured(contender.name, phase, n))
    result = meter.result
    cluster.audit.mark()
    pids = {**cluster.pids(), **contender.pids()}
    cpu, before = {name: usage(pid).cpu for name, pid in pids.items()}, ticks()
    own = sum(os.times()[:2])
    task = asyncio.create_task(_sample(contender, result, sampled))
    try:
        yield meter
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    after = ticks()
    now = {**cluster.pids(), **contender.pids()}
    for name, pid in now.items():
        used = usage(pid)
        began = cpu.get(name, 0.0) if pids.get(name) == pid else 0.0
        result.cpu[name] = used.cpu - began
        result.memory[name] = max(used.memory, result.memory.get(name, 0))
    result.cpu["driver"] = sum(os.times()[:2]) - own
    result.disturbance = _disturbance(before, after, result.cpu)
    await asyncio.sleep(0.2)  # The audit log's last lines are on their way.
    meter.seen = await asyncio.to_thread(cluster.audit.calls)
    result.calls = tally(meter.seen, contender.agents)
    result.wall = result.wall or time.time() - meter.began


def _disturbance(before: Ticks, after: Ticks, cpu: dict[str, float]) -> Disturbance:
    return disturbance(before, after, sum(cpu.values()))


async def _sample(contender: Contender, result: Measured, sampled: bool) -> None:
    count = 0
    while True:
        for name, pid in contender.pids().items():
            result.memory[name] = max(usage(pid).memory, result.memory.get(name, 0))
        count += 1
        if sampled and count % 4 == 0:
            for name, value in (await contender.gauges()).items():
                result.figures[name] = max(value, result.figures.get(name, 0.0))
        await asyncio.sleep(_SAMPLE)
