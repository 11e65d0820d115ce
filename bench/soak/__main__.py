"""The command line: `python -m bench.soak --minutes 120 --models 1000 --rate 5`."""

from __future__ import annotations

import argparse
import asyncio
import os
import random
import sys
import time
from dataclasses import dataclass, replace

import aiohttp

from bench.cluster.account import account
from bench.cluster.fresh import Cluster, cluster
from bench.cluster.watching import Stalled, Watching
from bench.contenders.canarium import Canarium
from bench.driver import keys_of, many
from bench.run import patience
from bench.soak.churn import Churn
from bench.soak.faults import break_watches, rule
from bench.soak.samples import Sample, growth, read
from sandbox.fault_proxy import Proxy

#: Samples of a run.
_SAMPLES = 120


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to run: minutes, number of models, updates per second, seed of everything random."""

    minutes: float
    models: int
    rate: float
    seed: int


def main() -> int:
    """0: all models reached their last version and nothing grew; 1: not so."""
    parser = argparse.ArgumentParser(prog="python -m bench.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=120.0)
    parser.add_argument("--models", type=int, default=1000)
    parser.add_argument("--rate", type=float, default=5.0, help="updates per second")
    parser.add_argument("--seed", type=int, default=random.randrange(2**32))
    given = parser.parse_args()
    os.environ.setdefault("GOGC", "100")
    wanted = Wanted(given.minutes, given.models, given.rate, given.seed)
    print(f"soak: seed {wanted.seed}", flush=True)
    try:
        return asyncio.run(_soaked(wanted))
    except Stalled as stalled:
        print(f"soak: {stalled}", file=sys.stderr)
        return 1


async def _soaked(wanted: Wanted) -> int:
    async with cluster("soak", max(20, wanted.models * 2 // 500)) as fresh:
        copy = fresh.sandbox.folder / "proxied.kubeconfig"
        async with Proxy().before(await account(fresh), copy) as proxy:
            operator = Canarium("canarium, soak", interpreter=sys.executable)
            await operator.install(fresh)
            await operator.start(replace(fresh, account=copy))
            try:
                return await _churned(wanted, fresh, operator, proxy)
            finally:
                operator.stop()


async def _churned(wanted: Wanted, fresh: Cluster, operator: Canarium, proxy: Proxy) -> int:
    keys, chance = keys_of(wanted.models), random.Random(wanted.seed)
    async with Watching.of(fresh.client, operator.collection) as watching:
        churn = Churn(fresh.client, watching, operator, keys, chance)
        watching.expect(keys, churn.is_live)
        await many(keys, lambda key: _create(fresh, operator, key))
        await watching.all_seen(patience(wanted.models))
        # A separate sequence: how many requests there are differs from run to run.
        proxy.rule = rule(random.Random(wanted.seed + 1))
        samples: list[Sample] = []
        beside = [
            asyncio.create_task(break_watches(proxy)),
            asyncio.create_task(_sample(operator, samples, 60 * wanted.minutes / _SAMPLES)),
        ]
        try:
            sent = await churn.run(wanted.rate, 60 * wanted.minutes)
        finally:
            for task in beside:
                task.cancel()
            await asyncio.gather(*beside, return_exceptions=True)
        # A version that failed is replaced by one that does not.
        await many(keys, churn.update)
        watching.expect(keys, churn.is_live)
        await watching.all_seen(patience(wanted.models))
    grown = growth(samples)
    print(
        f"soak: {sent} updates in {wanted.minutes:g} min, {churn.failed} versions failed, "
        f"{proxy.harmed} requests harmed; every model reached its last version"
    )
    for one in grown:
        print(f"soak: {one} {'' if one.passed else '**FAIL**'}".rstrip())
    return int(not all(one.passed for one in grown))


async def _create(fresh: Cluster, operator: Canarium, key: tuple[str, str]) -> None:
    await fresh.client.post(*operator.created(key))


async def _sample(operator: Canarium, samples: list[Sample], every: float) -> None:
    while True:
        await asyncio.sleep(every)
        (pid,) = operator.pids().values()
        try:
            samples.append(read(time.time(), pid, await operator.metrics(())))
        except aiohttp.ClientError as error:
            print(f"soak: no metrics: {error}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
