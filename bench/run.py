"""Which phases run for which contender, in which order; each has a fresh cluster."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from dataclasses import dataclass, field

from bench.cluster.fresh import Cluster, cluster
from bench.cluster.watching import Watching
from bench.contenders.canarium import PAUSE, Canarium
from bench.contenders.contender import Contender
from bench.contenders.flagger import Flagger
from bench.contenders.rollouts import Rollouts
from bench.driver import keys_of
from bench.floors.creation import create as bare_create
from bench.floors.creation import settled
from bench.floors.floor import Floor
from bench.floors.switch import switch
from bench.floors.update import update as bare_update
from bench.measure import Measured
from bench.phases import breaking
from bench.phases.commandline import commandline
from bench.phases.create import create
from bench.phases.faulty import Faulty, faulty
from bench.phases.idle import idle
from bench.phases.restart import failover, killed_in_its_pod, restart
from bench.phases.storm import storm
from bench.phases.throttled import Throttled, throttled
from bench.phases.update import update

FLOOR_CONNECTIONS = (8, 16)
PEERS: dict[str, Callable[[], Contender]] = {
    "rollouts-raised": lambda: Rollouts(raised=True),
    "rollouts": lambda: Rollouts(raised=False),
    "flagger": Flagger,
}
#: What may be chosen; a phase that needs another one's end (all need `create`) brings it.
PHASES = (
    *("floor", "create", "cli", "update", "idle", "restart", "failover", "storm", "break"),
    *("throttled", "faulty"),
)
#: Rivals at their own pace would take hours of more.
_PEERS_TO = 1000
#: How the operator adapts shows with few; with many it takes minutes more and shows the same.
_THROTTLED_TO = 500
_SAMPLE = 20
_STORMED = 100


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to run. `idle` in seconds; `nodes` per cluster, more for many objects.

    `phases` are some of PHASES; peers run their part of create, update and idle, at up to a
    thousand objects.
    """

    name: str
    sizes: Sequence[int]
    peers: Sequence[Callable[[], Contender]] = ()
    phases: Collection[str] = PHASES
    idle: float = 60.0
    nodes: int = 20
    keep: bool = False
    profile: bool = False


@dataclass
class Results:
    """All that was measured: floors by size, phases in their order."""

    floors: dict[int, list[Floor]] = field(default_factory=dict)
    phases: list[Measured] = field(default_factory=list)
    #: Before an API server of few seats, by size.
    throttled: dict[int, Throttled] = field(default_factory=dict)
    #: Behind a proxy that harms writes, by fault; of a backlog of a fixed size.
    faulty: dict[str, Faulty] = field(default_factory=dict)
    skipped: list[str] = field(default_factory=list)
    #: Sizes that are done.
    sizes: list[int] = field(default_factory=list)

    def find(self, contender: str, phase: str, n: int) -> Measured | None:
        return next(
            (p for p in self.phases if (p.contender, p.phase, p.n) == (contender, phase, n)), None
        )


async def run(wanted: Wanted) -> AsyncIterator[Results]:
    """Everything, one after the other, peers between the floor's two readings; yields what there is
    after each size.
    """
    results = Results()
    for n in wanted.sizes:
        # Two pods per object while all are updated; a simulated node takes a thousand.
        nodes = max(wanted.nodes, n * 2 // 500)
        first, *more = FLOOR_CONNECTIONS if "floor" in wanted.phases else (0,)
        if first:
            await _floor(wanted, results, n, nodes, first)
        if "throttled" in wanted.phases and n <= _THROTTLED_TO:
            await _throttled(wanted, results, n, nodes)
        if "faulty" in wanted.phases and not results.faulty:
            await _faulty(wanted, results, n, nodes)
        if set(wanted.phases) - {"floor", "throttled", "faulty"}:
            await _canarium(wanted, results, n, nodes)
        for peer in wanted.peers if n <= _PEERS_TO else ():
            await _peer(wanted, results, peer(), n, nodes)
        for connections in more:
            await _floor(wanted, results, n, nodes, connections)
        results.sizes.append(n)
        yield results


def patience(n: int) -> float:
    """Returns the seconds after which something is stuck on any machine."""
    return 300 + n


async def _floor(wanted: Wanted, results: Results, n: int, nodes: int, connections: int) -> None:
    model = Canarium()
    async with cluster(f"{wanted.name}-floor", nodes, wanted.keep) as fresh:
        await model.install(fresh)
        keys = keys_of(n)
        created = await bare_create(fresh, keys, connections)
        began = time.time() - created
        ready = await settled(fresh, keys, patience(n)) - began
        updated = await bare_update(fresh, keys, connections, PAUSE, patience(n))
        await fresh.quiet(patience=patience(n))
        switched = await switch(fresh, keys, connections)
    floor = Floor(connections, created, ready, updated, switched)
    results.floors.setdefault(n, []).append(floor)
    say(
        f"n={n} floor, {connections} connections: written {created:.1f} s, pods {ready:.1f} s, "
        f"updated {updated:.1f} s, switched off {switched:.1f} s"
    )


async def _canarium(wanted: Wanted, results: Results, n: int, nodes: int) -> None:
    operator = Canarium(profile=wanted.profile)
    keys = keys_of(n)
    async with cluster(f"{wanted.name}-canarium", nodes, wanted.keep) as fresh:
        await operator.install(fresh)
        await operator.start(fresh)
        try:
            async with Watching.of(fresh.client, operator.collection) as watching:
                took, chosen = patience(n), wanted.phases
                note(results, await create(fresh, operator, keys, watching, took))
                if "cli" in chosen:
                    note(results, await commandline(fresh, operator, keys))
                if "update" in chosen:
                    note(results, await update(fresh, operator, keys, watching, took))
                if "idle" in chosen:
                    note(results, await idle(fresh, operator, n, wanted.idle))
                if "restart" in chosen:
                    note(results, await restart(fresh, operator, n))
                for how in (signal.SIGTERM, signal.SIGKILL) if "failover" in chosen else ():
                    measured, operator = await failover(fresh, operator, n, how)
                    note(results, measured)
                if "failover" in chosen:
                    measured, operator = await killed_in_its_pod(fresh, operator, n)
                    note(results, measured)
                if "storm" in chosen:
                    stormed = keys[:_STORMED]
                    note(results, await storm(fresh, operator, stormed, watching, took))
                if "break" in chosen:
                    await _breaking(fresh, operator, results, watching, n)
        finally:
            operator.stop()


async def _throttled(wanted: Wanted, results: Results, n: int, nodes: int) -> None:
    result = results.throttled[n] = await throttled(wanted.name, n, nodes, patience(n))
    say(
        f"n={n} few seats: {result.ours:.0f} writes/s ({result.share:.0%}) beside "
        f"{result.optimal:.0f} of an optimal client and {result.unrefused:.0f} without "
        f"refusals; {result.refused:.1%} refused; all Ready {result.wall:.1f} s"
    )


async def _faulty(wanted: Wanted, results: Results, n: int, nodes: int) -> None:
    results.faulty = await faulty(wanted.name, nodes, patience(n))
    for fault, result in results.faulty.items():
        say(
            f"{fault}: {result.ours:.0f} writes/s ({result.share:.0%}) beside "
            f"{result.optimal:.0f} of an optimal client and {result.unharmed:.0f} where no "
            f"write fails; {result.harmed} writes harmed"
        )


async def _breaking(
    fresh: Cluster, operator: Canarium, results: Results, watching: Watching, n: int
) -> None:
    pods = await breaking.prepare(fresh, operator, keys_of(n), watching, patience(n))
    sample = dict(list(pods.items())[: min(_SAMPLE, n // 2)])
    rest = {key: pod for key, pod in pods.items() if key not in sample}
    note(results, await breaking.one_by_one(fresh, operator, sample, watching, n))
    note(results, await breaking.all_at_once(fresh, operator, rest, watching, patience(n)))


async def _peer(wanted: Wanted, results: Results, peer: Contender, n: int, nodes: int) -> None:
    keys = keys_of(n)
    async with cluster(f"{wanted.name}-peer", nodes, wanted.keep) as fresh:
        await peer.install(fresh)
        await peer.start(fresh)
        try:
            async with Watching.of(fresh.client, peer.collection) as watching:
                note(results, await create(fresh, peer, keys, watching, patience(n)))
                if "update" in wanted.phases:
                    note(results, await update(fresh, peer, keys, watching, patience(n)))
                if "idle" in wanted.phases:
                    note(results, await idle(fresh, peer, n, wanted.idle))
        except Exception as failed:
            # A peer that cannot do it is a result, and the other measurements continue.
            results.skipped.append(f"{peer.name} at {n}: {type(failed).__name__}: {failed}")
            say(results.skipped[-1])
        finally:
            peer.stop()


def note(results: Results, measured: Measured) -> None:
    """Stores a phase and prints its result."""
    results.phases.append(measured)
    spreads = ", ".join(
        f"{name} p50 {s.p50:.2f} p99 {s.p99:.2f} max {s.most:.2f}"
        for name, s in measured.latencies.items()
    )
    calls = f"{measured.writes / measured.n:.2f} writes + {measured.events / measured.n:.2f} Events"
    say(
        f"n={measured.n} {measured.contender}, {measured.phase}: {measured.wall:.1f} s; {calls} "
        f"per object; {spreads}; {measured.disturbance}"
    )


def say(text: str) -> None:
    """A line of progress."""
    print(f"bench: {text}", file=sys.stderr, flush=True)
