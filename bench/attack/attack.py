"""The run: good rollbacks alone, then beside the attack, with the operator's lag and memory."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import sys
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from bench.attack import pods, systems, tenants
from bench.attack.server import ADDRESS
from canarium.kube import resources
from canarium.kube.http import Client
from sandbox.ports import free_ports

GOOD = "good"
_LAG = re.compile(r"^canarium_event_loop_lag_max_seconds\S* (\S+)$", re.MULTILINE)
_SPACING = 0.3
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Memory:
    """MiB of the operator and of its worker processes; what they share counts once."""

    operator: float = 0.0
    workers: tuple[float, ...] = ()

    @property
    def total(self) -> float:
        return self.operator + sum(self.workers)

    def __str__(self) -> str:
        workers = " + ".join(f"{worker:.0f}" for worker in self.workers)
        return f"memory {self.total:.0f} MiB (operator {self.operator:.0f}, workers {workers})"


@dataclass
class Figures:
    """What was measured; times in seconds, memory at its peak."""

    crashes: list[float] = field(default_factory=list)
    checks: list[float] = field(default_factory=list)
    lag: float = 0.0
    memory: Memory = field(default_factory=lambda: Memory())

    def __str__(self) -> str:
        rows = []
        for name, seconds in (("crash", self.crashes), ("failing check", self.checks)):
            if seconds:
                rows.append(
                    f"{name} → traffic off: p50 {quantile(seconds, 0.5):.2f} s, "
                    f"p99 {quantile(seconds, 0.99):.2f} s, max {max(seconds):.2f} s "
                    f"({len(seconds)})"
                )
        return "; ".join((*rows, f"loop lag {self.lag:.2f} s; {self.memory}"))


def quantile(values: list[float], q: float) -> float:
    """The smallest value that a share `q` of the values does not exceed."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(q * len(ordered)))]


class Attack:
    """A hostile server, the namespaces, and the operator that all of them share."""

    def __init__(self, client: Client, busy: Client, kubeconfig: Path, folder: Path) -> None:
        """`busy` changes pods: `client` measures, and must not wait behind hundreds of changes."""
        self._client, self._busy = client, busy
        self._kubeconfig, self._folder = kubeconfig, folder
        self._port, self._grpc, self._metrics = free_ports(3)
        self._operator = 0
        self._version = 0
        #: Candidates of one hostile namespace that are to fail at once.
        self._crowd: list[dict[str, Any]] = []
        self._peak = Memory()

    @contextlib.asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """The server and the operator run meanwhile."""
        async with contextlib.AsyncExitStack() as stack:
            ports = (str(self._port), str(self._grpc))
            await stack.enter_async_context(self._process("bench.attack.server", *ports))
            flags = ["run", "--kubeconfig", str(self._kubeconfig)]
            flags += ["--metrics-port", str(self._metrics)]
            self._operator = await stack.enter_async_context(self._process("canarium", *flags))
            await stack.enter_async_context(pods.kubelet(self._busy))
            yield

    @contextlib.asynccontextmanager
    async def _process(self, *words: str) -> AsyncIterator[int]:
        with (self._folder / f"{words[0]}.log").open("ab") as log:
            process = await asyncio.create_subprocess_exec(
                sys.executable, "-m", *words, stdout=log, stderr=log, cwd=_ROOT
            )
            try:
                yield process.pid
            finally:
                if process.returncode is None:
                    process.terminate()
                await process.wait()

    async def begin(self, namespaces: int, crowd: int) -> None:
        """Applies the hostile models and waits until their checks are under way. The first
        namespace has `crowd` candidates besides, which fail together when it is measured."""
        figures = Figures()
        watching = asyncio.create_task(self._watch(figures))
        try:
            await self._begin(namespaces, crowd)
        finally:
            watching.cancel()
            self._peak = figures.memory

    async def _begin(self, namespaces: int, crowd: int) -> None:
        names = [f"evil-{number}" for number in range(namespaces)]
        for name in names:
            await self._namespace(name)
            await self._apply(name, tenants.analyzed(self._port, "1"))
            await self._apply(name, tenants.annotated(self._port))
            for body in tenants.smoke_tested(self._port):
                await self._apply(name, body)
            for body in tenants.endless(self._port, self._grpc):
                await self._apply(name, body)
            await self._apply_systems(name)
        for version in ("1", "2"):
            for number in range(crowd):
                await self._apply(names[0], tenants.crowd(number, version, self._port))
            for number in range(crowd):
                await self._until(names[0], f"crowd-{number}", _THERE[version], patience=900)
        for name in names:
            await self._until(name, "judged", lambda s: s.get("phase") == "Ready")
            await self._apply(name, tenants.analyzed(self._port, "2"))
            await self._until(name, "compared", lambda s: s.get("phase") == "Ready")
            await self._apply(name, systems.compared(self._port, "2"))
        for name in names:
            for one in ("judged", "compared"):
                await self._until(name, one, lambda s: s.get("weight") == 50)
        pods = (await self._client.list(resources.PODS, names[0]))["items"]
        self._crowd = [p for p in pods if _is_crowd(p) and _image(p) == "model:2"]
        await asyncio.sleep(5)

    async def _apply_systems(self, namespace: str) -> None:
        for kind, body in systems.objects():
            resource = resources.SECRETS if kind == "Secret" else resources.CONFIG_MAPS
            whole = {"apiVersion": "v1", "kind": kind, **body}
            await self._client.apply(
                resource, namespace, body["metadata"]["name"], whole, force=True
            )
        port = self._port
        bodies = (*systems.unresolved(port), *systems.waiting(port), systems.compared(port, "1"))
        for body in bodies:
            await self._apply(namespace, body)

    async def _stampede(self) -> None:
        """All of the crowd fail within a moment."""
        crowd, self._crowd = self._crowd, []
        await asyncio.gather(*(pods.crash(self._busy, pod) for pod in crowd))

    async def measured(self, models: int, rounds: int) -> Figures:
        """Rolls candidates of the good namespace back, one after the other."""
        figures = Figures(memory=self._peak)
        await self._namespace(GOOD)
        names = [f"m{number}" for number in range(models)]
        watching = asyncio.create_task(self._watch(figures))
        try:
            if not self._version:
                await self._next(names, lambda s: s.get("phase") == "Ready")
            for _ in range(rounds):
                await self._next(names, lambda s: s.get("weight") == 50)
                stampede = asyncio.create_task(self._stampede())
                for number, name in enumerate(names):
                    await self._fail(figures, name, crash=number % 2 == 0)
                    await asyncio.sleep(_SPACING)
                await stampede
        finally:
            watching.cancel()
        return figures

    async def _next(self, names: list[str], there: Callable[[dict[str, Any]], bool]) -> None:
        self._version += 1
        for name in names:
            await self._apply(GOOD, tenants.good(name, str(self._version), self._port))
        for name in names:
            await self._until(GOOD, name, there)
        await asyncio.sleep(3)  # Two looks: the windows have their baselines.

    async def _fail(self, figures: Figures, name: str, *, crash: bool) -> None:
        image = f"model:{self._version}"
        own = (
            await self._client.list(
                resources.PODS, GOOD, labelSelector=f"canarium.dev/model={name}"
            )
        )["items"]
        (pod,) = (p for p in own if _image(p) == image)
        if crash:
            await pods.crash(self._client, pod)
        else:
            await self._get(f"http://{ADDRESS}:{self._port}/switch?model={name}-{self._version}")
        began = time.monotonic()
        while time.monotonic() < began + 60:
            service = await self._client.get(resources.SERVICES, GOOD, name)
            if service["spec"]["selector"].get("canarium.dev/color"):
                (figures.crashes if crash else figures.checks).append(time.monotonic() - began)
                return
            await asyncio.sleep(0.02)
        raise AssertionError(f"{name} was not rolled back within a minute")

    async def _watch(self, figures: Figures) -> None:
        while True:
            memory = _memory(self._operator)
            figures.memory = max(figures.memory, memory, key=lambda sample: sample.total)
            with contextlib.suppress(aiohttp.ClientError):
                text = await self._get(f"http://127.0.0.1:{self._metrics}/metrics")
                if match := _LAG.search(text):
                    figures.lag = max(figures.lag, float(match[1]))
            await asyncio.sleep(0.5)

    async def _get(self, url: str) -> str:
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return await response.text()

    async def _namespace(self, name: str) -> None:
        body = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}
        await self._client.apply(resources.NAMESPACES, None, name, body, force=True)

    async def _apply(self, namespace: str, body: tenants.Manifest) -> None:
        name = body["metadata"]["name"]
        await self._client.apply(resources.MODELS, namespace, name, body, force=True)

    async def _until(
        self,
        namespace: str,
        name: str,
        there: Callable[[dict[str, Any]], bool],
        patience: float = 120,
    ) -> None:
        end = time.monotonic() + patience
        while time.monotonic() < end:
            body = await self._client.get(resources.MODELS, namespace, name)
            status = body.get("status") or {}
            current = status.get("observedGeneration") == body["metadata"]["generation"]
            if current and there(status):
                return
            await asyncio.sleep(0.1)
        raise AssertionError(f"{namespace}/{name}: {status}")


#: What a model of the crowd is to reach with each version.
_THERE: dict[str, Callable[[dict[str, Any]], bool]] = {
    "1": lambda status: status.get("phase") == "Ready",
    "2": lambda status: status.get("weight") == 50,
}


def _is_crowd(pod: dict[str, Any]) -> bool:
    return str(pod["metadata"]["labels"].get("canarium.dev/model")).startswith("crowd-")


def _image(pod: dict[str, Any]) -> str:
    image: str = pod["spec"]["containers"][0]["image"]
    return image


def _memory(pid: int) -> Memory:
    operator, *workers = (_proportional(process) for process in (pid, *_descendants(pid)))
    return Memory(operator, tuple(workers))


def _proportional(pid: int) -> float:
    """MiB of a process, with its share of what it shares; 0 when it has ended."""
    with contextlib.suppress(OSError, IndexError):
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
        return int(text.partition("\nPss:")[2].split()[0]) / 1024
    return 0.0


def _descendants(pid: int) -> list[int]:
    parents: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError, ValueError, IndexError):
            parent = int(Path(f"/proc/{entry}/stat").read_text().rsplit(")", 1)[1].split()[1])
            parents.setdefault(parent, []).append(int(entry))
    pids, todo = [], [pid]
    while todo:
        below = parents.get(todo.pop(), [])
        pids += below
        todo += below
    return pids
