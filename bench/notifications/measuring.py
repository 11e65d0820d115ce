"""The rounds: the same rollout and the same rollback with each sink in turn, and without any."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from statistics import median

from bench.notifications.cluster import HELD, Bench, Watched
from bench.notifications.sinks import Conduct, Entry, Sink, listening

#: The namespace whose operator records nothing, and which no notifier watches.
WITHOUT = "without"
#: Seconds that the median rollback may be later than without a sink: a tenth of its budget.
LATER = 0.1
#: Seconds for everything to be delivered to a sink that accepts again: the longest wait between
#: two attempts is five minutes.
_PATIENCE = 420.0


@dataclass
class Times:
    """Seconds of one namespace, by round: until a version is promoted, and from the failure of a
    version until no traffic reaches it."""

    rollouts: list[float] = field(default_factory=list)
    rollbacks: list[float] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Delivered:
    """What a sink has received in the end: transitions that the status had, those that are missing,
    repeated deliveries, whether the first deliveries are in order, how many were accepted before
    the sink recovered, and the seconds from then until it had all."""

    recorded: int
    missing: int
    repeated: int
    in_order: bool
    before: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Figures:
    """A run; times and deliveries by namespace."""

    times: dict[str, Times]
    delivered: dict[str, Delivered]


def delivered(
    recorded: list[Entry], accepted: list[Entry], before: int, seconds: float
) -> Delivered:
    """Compares what a sink has accepted with what was recorded."""
    first = list(dict.fromkeys(accepted))
    return Delivered(
        recorded=len(recorded),
        missing=len(set(recorded) - set(first)),
        repeated=len(accepted) - len(first),
        in_order=first == sorted(first),
        before=before,
        seconds=seconds,
    )


def ratios(times: list[float], without: list[float]) -> list[float]:
    """Each round's time as a multiple of the one without a sink in the same round."""
    return [one / base for one, base in zip(times, without, strict=True)]


async def measured(bench: Bench, rounds: int) -> Figures:
    """Runs all rounds, lets the sinks recover, and waits until they have everything."""
    sinks = {conduct.name.lower(): Sink(conduct) for conduct in Conduct}
    names = (WITHOUT, *sinks)
    watched = Watched(bench.client)
    for name in names:
        await bench.namespace(name)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(listening(sinks.values()))
        await stack.enter_async_context(bench.operator(WITHOUT, recording=False))
        await stack.enter_async_context(bench.operator(*sinks, recording=True))
        for name, sink in sinks.items():
            await stack.enter_async_context(bench.notifier(name, sink))
        watching = asyncio.create_task(watched.run())
        try:
            times = await _rounds(bench, watched, names, rounds)
            deliveries = await _recovered(watched, sinks)
        finally:
            watching.cancel()
    return Figures(times, deliveries)


async def _rounds(
    bench: Bench, watched: Watched, names: tuple[str, ...], rounds: int
) -> dict[str, Times]:
    times = {name: Times() for name in names}
    for name in names:
        await _promoted(bench, watched, name, 1)
    chance = random.Random(7)
    for number in range(rounds):
        good, bad = 2 * number + 2, 2 * number + 3
        for name in chance.sample(names, len(names)):
            times[name].rollouts.append(await _promoted(bench, watched, name, good))
            await bench.apply(name, bad, held=True)
            await watched.until(name, lambda status: status.get("weight") == HELD)
            times[name].rollbacks.append(await bench.fail(name, bad))
            await watched.until(name, lambda status: status.get("phase") == "RolledBack")
            # The pods of the bad version are deleted, and nothing remains of this turn.
            await asyncio.sleep(2)
        print(f"round {number + 1} of {rounds}", flush=True)
    return times


async def _promoted(bench: Bench, watched: Watched, name: str, version: int) -> float:
    """Applies a version; the seconds until it is the stable one."""
    began = await bench.apply(name, version)
    ended = await watched.until(
        name,
        lambda status: status.get("version") == str(version) and status.get("phase") == "Ready",
    )
    return ended - began


async def _recovered(watched: Watched, sinks: dict[str, Sink]) -> dict[str, Delivered]:
    """Lets all sinks accept; what each has once it has everything."""
    before = {name: len(sink.accepted) for name, sink in sinks.items()}
    for sink in sinks.values():
        await sink.recover()
    began, seconds = time.monotonic(), dict[str, float]()
    while len(seconds) < len(sinks) and time.monotonic() < began + _PATIENCE:
        for name, sink in sinks.items():
            if name not in seconds and set(watched.recorded[name]) <= set(sink.accepted):
                seconds[name] = time.monotonic() - began
        await asyncio.sleep(0.2)
    # What a second delivery of the same notification would need.
    await asyncio.sleep(2)
    return {
        name: delivered(
            watched.recorded[name], sink.accepted, before[name], seconds.get(name, _PATIENCE)
        )
        for name, sink in sinks.items()
    }


def table(figures: Figures) -> Iterator[str]:
    """Yields the lines of a Markdown table; of times, the medians."""
    without = figures.times[WITHOUT]
    yield "| Sink | Rollout | Ratio to none, least and most | Rollback | Delivered |"
    yield "|---|---|---|---|---|"
    for name, times in figures.times.items():
        compared = ratios(times.rollouts, without.rollouts)
        cells = (
            Conduct[name.upper()].value if name != WITHOUT else "none",
            f"{median(times.rollouts):.2f} s",
            f"{median(compared):.2f} ({min(compared):.2f} to {max(compared):.2f})",
            f"{median(times.rollbacks) * 1000:.0f} ms",
            _delivery(figures.delivered.get(name)),
        )
        yield f"| {' | '.join(cells)} |"


def _delivery(delivery: Delivered | None) -> str:
    if delivery is None:
        return "–"
    order = "in order" if delivery.in_order else "OUT OF ORDER"
    return (
        f"{delivery.before} of {delivery.recorded} before it recovered, {delivery.missing} missing "
        f"{delivery.seconds:.0f} s later, {order}, {delivery.repeated} repeated"
    )


def faults(figures: Figures, most: float) -> Iterator[str]:
    """Yields what is wrong: a notification that is lost or repeated (no notifier of a run ends, and
    each sink answers in time or accepts nothing), a wrong order, rollouts whose median ratio is
    above `most`, or rollbacks that take longer by more than `LATER`."""
    without = figures.times[WITHOUT]
    for name, delivery in figures.delivered.items():
        times = figures.times[name]
        if delivery.missing or delivery.repeated or not delivery.in_order:
            yield f"{name}: {_delivery(delivery)}"
        ratio = median(ratios(times.rollouts, without.rollouts))
        if ratio > most:
            yield f"{name}: rollouts take {ratio:.2f} times as long as without a sink"
        later = median(times.rollbacks) - median(without.rollbacks)
        if later > LATER:
            yield f"{name}: rollbacks take {later:.2f} s longer than without a sink"
