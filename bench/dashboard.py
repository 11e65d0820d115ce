"""`python -m bench.dashboard`: 50 browsers for a minute, on a fleet of 2,000 models.

A real API server has the models with the statuses of the samples; there is no operator. First,
people who have not been here before open the fleet one after the other: nothing of theirs is
cached. Then every browser has a login and an event stream, and opens the fleet or a model every two
seconds. One model changes every second, so that the streams have something to report. It exits with
1 when a page fails or the median of the first pages is longer than `FIRST_PAGE`.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import random
import re
import resource
import socket
import statistics
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

import aiohttp

from bench.cluster.client import Client
from bench.fleet import fill, status_path
from sandbox.controlplane import ControlPlane

ROOT = Path(__file__).parents[1]
#: Seconds between two pages of a browser.
_PAUSE = 2.0
#: People who open their first page, and the seconds that it may take (the median).
_PEOPLE, FIRST_PAGE = 7, 0.3


async def browse(
    address: str,
    token: str,
    models: int,
    until: float,
    times: dict[str, list[float]],
    failures: Counter[str],
) -> int:
    """Opens pages until the end; returns the number of changes that the stream reported."""
    changes = 0
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(cookie_jar=jar) as browser:
        fields = {"token": token, "next": "/static/app.css"}
        headers = {"Origin": address}
        async with browser.post(f"{address}/login", data=fields, headers=headers) as answer:
            assert answer.status == 200, await answer.text()

        async def listen() -> None:
            nonlocal changes
            async with browser.get(f"{address}/stream") as answer:
                async for line in answer.content:
                    changes += line.startswith(b"event: change")

        stream = asyncio.create_task(listen())
        await asyncio.sleep(random.uniform(0, _PAUSE))
        while time.monotonic() < until:
            index = random.randrange(models)
            kind, path = random.choice(
                (
                    ("fleet", f"/?page={1 + index % 20}"),
                    ("fleet, filtered", "/?attention=1&q=m-1"),
                    ("model", f"/models/team-{index % 20}/m-{index}"),
                )
            )
            begun = time.perf_counter()
            async with browser.get(address + path) as answer:
                text = await answer.text()
                if answer.status != 200:
                    message = text.split('class="lead">')[-1].split("<")[0]
                    failures[f"{answer.status} {message}"] += 1
            times[kind].append(time.perf_counter() - begun)
            await asyncio.sleep(_PAUSE)
        stream.cancel()
    return changes


async def measure(
    plane: ControlPlane, folder: Path, options: argparse.Namespace
) -> tuple[str, bool]:
    """Fills the cluster, runs the browsers and returns the report, and whether it is good."""
    cluster = json.loads(plane.kubeconfig.read_text())["clusters"][0]["cluster"]
    authority = folder / "ca.crt"
    authority.write_bytes(base64.b64decode(cluster["certificate-authority-data"]))
    plane.kubectl("create", "serviceaccount", "reader")
    plane.kubectl(
        *("create", "clusterrolebinding", "reader", "--clusterrole=cluster-admin"),
        "--serviceaccount=default:reader",
    )
    # The random identifier of each makes a different token, so a different person.
    tokens = [
        plane.kubectl("create", "token", "reader", "--duration=1h").strip()
        for _ in range(_PEOPLE + 1)
    ]
    async with Client.connect(plane.kubeconfig, "bench-driver", connections=50) as client:
        await fill(client, options.models)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "canarium_dashboard", f"--listen=127.0.0.1:{port}"),
            *(f"--api-server={cluster['server']}", f"--api-server-ca={authority}"),
        )
        address = f"http://127.0.0.1:{port}"
        try:
            await _healthy(address)
            first = [await first_page(address, token) for token in tokens[1:]]
            cold = _memory(process.pid)
            times: dict[str, list[float]] = defaultdict(list)
            failures: Counter[str] = Counter()
            until = time.monotonic() + options.seconds
            touching = asyncio.create_task(_touch(client))
            jobs = [
                browse(address, tokens[0], options.models, until, times, failures)
                for _ in range(options.browsers)
            ]
            changes = await asyncio.gather(*jobs)
            touching.cancel()
            memory = _memory(process.pid)
        finally:
            process.terminate()
            await process.wait()
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    lines = [
        f"first page of {len(first)} people: median {statistics.median(first) * 1000:.0f} ms, "
        f"longest {max(first) * 1000:.0f} ms; memory with their lists {cold} MiB",
        f"{options.browsers} browsers, {options.models} models, {options.seconds} s; "
        f"memory {memory} MiB; CPU of all children {used.ru_utime + used.ru_stime:.0f} s; "
        f"changes per stream: {min(changes)} to {max(changes)}; load {os.getloadavg()[0]:.1f}",
    ]
    for kind, seconds in sorted(times.items()):
        seconds.sort()
        p95 = seconds[int(len(seconds) * 0.95)]
        lines.append(
            f"{kind}: {len(seconds)} pages, median {statistics.median(seconds) * 1000:.0f} ms, "
            f"p95 {p95 * 1000:.0f} ms, longest {seconds[-1] * 1000:.0f} ms"
        )
    lines += [f"FAILED {count} pages: {text}" for text, count in failures.items()]
    return "\n".join(lines), not failures and statistics.median(first) <= FIRST_PAGE


async def first_page(address: str, token: str) -> float:
    """Opens the fleet with a token for the first time; returns its seconds."""
    headers = {"Authorization": f"Bearer {token}"}
    async with aiohttp.ClientSession(headers=headers) as browser:
        begun = time.perf_counter()
        async with browser.get(f"{address}/") as answer:
            text = await answer.text()
            assert answer.status == 200, text
        return time.perf_counter() - begun


async def _touch(client: Client) -> None:
    """Changes one model every second."""
    for count in range(10_000):
        await client.merge(status_path(0), {"status": {"message": f"Change {count}."}})
        await asyncio.sleep(1)


async def _healthy(address: str) -> None:
    async with aiohttp.ClientSession() as session:
        for _ in range(300):
            try:
                async with session.get(f"{address}/healthz") as answer:
                    if answer.status == 200:
                        return
            except aiohttp.ClientError:
                pass
            await asyncio.sleep(0.1)
    raise AssertionError("the dashboard did not start")


def _memory(pid: int) -> int:
    match = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(match[1]) // 1024 if match else 0


def main() -> int:
    """Runs the bench and prints its report."""
    parser = argparse.ArgumentParser("python -m bench.dashboard", description=__doc__)
    parser.add_argument("--browsers", type=int, default=50)
    parser.add_argument("--models", type=int, default=2_000)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="dashboard-bench-") as name:
        plane = ControlPlane(Path(name) / "plane")
        try:
            plane.up()
            plane.kubectl("apply", "--server-side", "-f", str(ROOT / "crds"))
            plane.api.await_definitions()
            report, good = asyncio.run(measure(plane, Path(name), options))
            print(report)
        finally:
            plane.down()
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
