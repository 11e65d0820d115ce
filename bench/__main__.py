"""The command line of the bench."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
from pathlib import Path

from bench.budgets import Line, budgets
from bench.cluster.guard import NoSandbox, simulated
from bench.report.markdown import report, table
from bench.report.plots import plots
from bench.run import PEERS, PHASES, Wanted, run


def main() -> int:
    """0: every budget that was measured is met; 1: one is not; 2: it could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--sizes", default="200,1000", help="numbers of objects, such as 200,1000")
    parser.add_argument(
        "--peers",
        nargs="?",
        const=",".join(PEERS),
        default="",
        help=f"peers as well: all, or some of {', '.join(PEERS)}",
    )
    parser.add_argument(
        "--phases",
        type=phases,
        default=PHASES,
        help=f"some of {', '.join(PHASES)}; all but floor, throttled and faulty begin with create",
    )
    parser.add_argument("--idle", type=float, default=60.0, help="seconds of steady state")
    parser.add_argument("--name", default="bench", help="the sandboxes' name begins so")
    parser.add_argument("--report", type=Path, default=Path("bench/report.md"))
    parser.add_argument("--keep", action="store_true", help="leave the sandboxes up")
    parser.add_argument("--profile", action="store_true", help="run the operator under cProfile")
    parser.add_argument(
        "--check-kubeconfig",
        type=Path,
        metavar="FILE",
        help="only check whether the bench would use that cluster; it accepts simulated ones",
    )
    given = parser.parse_args()
    # What is measured collects its garbage as it does in the wild; a sandbox's parts do it less.
    os.environ.setdefault("GOGC", "100")
    try:
        if given.check_kubeconfig:
            print(f"{simulated(given.check_kubeconfig).options.name}: a simulated sandbox")
            return 0
        sizes = [int(size) for size in given.sizes.split(",")]
        wanted = Wanted(
            name=given.name,
            sizes=sizes,
            peers=[PEERS[name] for name in given.peers.split(",") if name],
            phases=given.phases,
            idle=given.idle,
            keep=given.keep,
            profile=given.profile,
        )
        given.report.parent.mkdir(parents=True, exist_ok=True)
        lines = asyncio.run(_reported(wanted, given.report))
    except NoSandbox as refused:
        print(f"bench: {refused}", file=sys.stderr)
        return 2
    print(table(lines))
    return 1 if any(line.passed is False for line in lines) else 0


def phases(text: str) -> tuple[str, ...]:
    """Raises ArgumentTypeError for a phase that there is not."""
    names = tuple(text.split(","))
    for unknown in set(names) - set(PHASES):
        raise argparse.ArgumentTypeError(f"{unknown!r} is none of {', '.join(PHASES)}")
    return names


async def _reported(wanted: Wanted, path: Path) -> list[Line]:
    """Runs, and writes the report after each size: a long run that is stopped leaves something."""
    lines: list[Line] = []
    async for results in run(wanted):
        sizes = sorted(results.sizes)
        lines = budgets(results, sizes)
        text = report(results, lines, sizes, plots(results, path.parent))
        await asyncio.to_thread(path.write_text, text)
    return lines


if __name__ == "__main__":
    sys.exit(main())
