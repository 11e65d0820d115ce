"""`python -m bench.terminal`: the command line beside 10,000 models, as a person at a terminal.

A real API server has the models in 20 namespaces, with the statuses of the samples; those of the
namespace whose models `get` shows have records, Deployments, Services and pods, too. There is no
operator. It times `--help`, `get` and `list -A` with their starts, and the first screens of
`top -A` and `list -A -w`. While those two run, one model changes every tenth of a second, and their
processor time and peak memory are taken. It exits with 1 when a figure is above its limit.
"""

from __future__ import annotations

import argparse
import asyncio
import fcntl
import itertools
import os
import re
import resource
import statistics
import struct
import sys
import tempfile
import termios
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bench.cluster.client import Client
from bench.fleet import NAMESPACES, fill, place, status_path
from bench.phases.commandline import PROGRAM, environment, timed
from sandbox.controlplane import ControlPlane

ROOT = Path(__file__).parents[1]
#: Seconds that the median may take.
LIMITS = {"--help": 0.15, "get": 0.5, "list -A": 4.0, "top -A": 4.0, "list -A -w": 4.0}
#: The highest peak of memory in MiB, of the program without kubectl.
MEMORY = 150
_RUNS, _SCREENS = 11, 3
#: Columns and lines of the terminal.
_SIZE = 140, 40
#: Seconds that a screen is watched while models change, and the seconds between two changes.
_FOLLOWED, _PAUSE = 10.0, 0.1


@dataclass(frozen=True, slots=True)
class Watched:
    """A verb that redraws: seconds to its first screen, seconds of the processor for each second
    afterwards, peak memory of the program and of kubectl in MiB, and bytes that it printed."""

    first: float
    busy: float
    memory: int
    kubectl: int
    printed: int


async def watched(kubeconfig: Path, ready: bytes, *words: str) -> Watched:
    """Runs a verb in a terminal until its first screen, which has `ready`, and follows it."""
    ours, theirs = os.openpty()
    columns, lines = _SIZE
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    began = time.perf_counter()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, *PROGRAM, *words),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        env={**environment(kubeconfig), "TERM": "xterm-256color"},
        start_new_session=True,
    )
    os.close(theirs)
    loop, shown, seen = asyncio.get_running_loop(), bytearray(), asyncio.Event()

    def read() -> None:
        with suppress(OSError):
            shown.extend(os.read(ours, 1 << 16))
        if ready in shown:
            seen.set()

    loop.add_reader(ours, read)
    try:
        await asyncio.wait_for(seen.wait(), 60)
        first = time.perf_counter() - began
        before = _seconds(process.pid)
        await asyncio.sleep(_FOLLOWED)
        busy = (_seconds(process.pid) - before) / _FOLLOWED
        kubectl = max(_peak(pid) for pid in _children(process.pid))
        return Watched(first, busy, _peak(process.pid), kubectl, len(shown))
    finally:
        # Its output is read until it ends: a full terminal would block it.
        process.terminate()
        await process.wait()
        loop.remove_reader(ours)
        os.close(ours)


def _children(pid: int) -> list[int]:
    """The processes that a process has started; each of its threads lists those of it."""
    files = Path(f"/proc/{pid}/task").glob("*/children")
    return [int(child) for file in files for child in file.read_text().split()]


def _peak(pid: int) -> int:
    """The peak memory of a process in MiB."""
    match = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(match[1]) // 1024 if match else 0


def _seconds(pid: int) -> float:
    """The processor time of a process."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def measure(kubeconfig: Path, models: int, changing: Callable[[], Awaitable[None]]) -> bool:
    """Prints each figure beside its limit; returns whether all are within."""
    good, names = True, ("--all-namespaces",)
    chosen = [place(number * NAMESPACES) for number in range(min(_RUNS, models // NAMESPACES))]
    runs: dict[str, list[tuple[str, ...]]] = {
        "--help": [("--help",)] * _RUNS,
        "get": [("get", name, "--namespace", namespace) for namespace, name in chosen],
        "list -A": [("list", *names)] * 5,
    }
    for verb, calls in runs.items():
        # The first run reads the files of the program from disk.
        await timed(kubeconfig, *PROGRAM, *calls[0])
        before = _of_children()
        seconds = [await timed(kubeconfig, *PROGRAM, *words) for words in calls[1:]]
        good &= _report(verb, seconds)
        busy = (_of_children() - before) / len(seconds)
        print(f"  {busy:.2f} s of the processors for each, that of kubectl included", flush=True)
    task = asyncio.ensure_future(changing())
    try:
        for verb, ready in (("top -A", b"q quit"), ("list -A -w", b"NAMESPACE")):
            words = verb.split()
            screens = [await watched(kubeconfig, ready, *words) for _ in range(_SCREENS)]
            good &= _report(verb, [one.first for one in screens])
            most = max(one.memory for one in screens)
            good &= most <= MEMORY
            print(
                f"  memory {most} MiB (limit {MEMORY}), kubectl "
                f"{max(one.kubectl for one in screens)} MiB; at {1 / _PAUSE:g} changes per second "
                f"{max(one.busy for one in screens):.0%} of a processor, "
                f"{max(one.printed for one in screens) >> 10} KiB printed in {_FOLLOWED:g} s"
            )
    finally:
        task.cancel()
    return good


def _of_children() -> float:
    """The processor time of all processes that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _report(verb: str, seconds: list[float]) -> bool:
    median = statistics.median(seconds)
    print(
        f"{verb}: median {median:.2f} s, longest {max(seconds):.2f} s of {len(seconds)} "
        f"(limit {LIMITS[verb]:g} s; load {os.getloadavg()[0]:.1f})",
        flush=True,
    )
    return median <= LIMITS[verb]


async def run(plane: ControlPlane, models: int) -> bool:
    """Fills the cluster and measures."""
    async with Client.connect(plane.kubeconfig, "bench-driver", connections=50) as client:
        began = time.monotonic()
        await fill(client, models, children=place(0)[0])
        print(f"{models} models in {time.monotonic() - began:.0f} s", flush=True)

        async def changing() -> None:
            for count in itertools.count():
                step = {"status": {"step": f"{count % 9}/9"}}
                await client.merge(status_path(count % models), step)
                await asyncio.sleep(_PAUSE)

        return await measure(plane.kubeconfig, models, changing)


def main() -> int:
    """Runs the bench and prints its report."""
    parser = argparse.ArgumentParser("python -m bench.terminal", description=__doc__)
    parser.add_argument("--models", type=int, default=10_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="terminal-bench-") as name:
        # No controller may delete what has no owner; without them no pod gets an account.
        apiserver = ("--disable-admission-plugins=ServiceAccount",)
        plane = ControlPlane(
            Path(name) / "plane", controllers=False, audit=None, extra={"apiserver": apiserver}
        )
        try:
            plane.up()
            plane.kubectl("apply", "--server-side", "-f", str(ROOT / "crds"))
            plane.api.await_definitions()
            good = asyncio.run(run(plane, options.models))
        finally:
            plane.down()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
