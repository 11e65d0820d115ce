"""A fresh simulated cluster per contender: each begins with an empty etcd and the same nodes."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.cluster.audit import AuditLog
from bench.cluster.client import Client
from bench.cluster.guard import simulated
from sandbox import Options, Sandbox
from sandbox.options import Mode

_FAST = ("--kube-api-qps", "2000", "--kube-api-burst", "4000")
#: The controllers' own pace must not be what is measured.
EXTRA = {
    "controller-manager": (
        *_FAST,
        "--concurrent-deployment-syncs=20",
        "--concurrent-replicaset-syncs=20",
        "--concurrent-service-endpoint-syncs=20",
    ),
    "scheduler": _FAST,
    "apiserver": (
        *("--max-requests-inflight=2000", "--max-mutating-requests-inflight=1000"),
        # By default it is rotated at 100 MB, which a thousand objects fill.
        "--audit-log-maxsize=100000",
    ),
}
#: Resources that nodes and leaders write continuously.
_HEARTBEATS = frozenset({"leases", "nodes", "nodes/status"})
NAMESPACES = tuple(f"team-{number}" for number in range(10))


@dataclass(frozen=True, slots=True)
class Cluster:
    """A simulated sandbox, its audit log, and the driver's client."""

    sandbox: Sandbox
    audit: AuditLog
    client: Client
    #: Whom contenders are; None: the administrator.
    account: Path | None = None

    @property
    def kubeconfig(self) -> Path:
        return self.account or self.sandbox.kubeconfig

    def pids(self) -> dict[str, int]:
        """The control plane's processes by name."""
        processes = {part.name: part.process for part in self.sandbox.parts()}
        return {name: process.pid for name, process in processes.items() if process}

    async def quiet(
        self, agents: frozenset[str] | None = None, seconds: float = 3.0, patience: float = 60.0
    ) -> None:
        """Waits until `agents`, by default all there are, have written nothing for `seconds`.

        Heartbeats do not count. Raises TimeoutError.
        """
        log = AuditLog(self.sandbox.audit_log)
        loop = asyncio.get_running_loop()
        until, busy = loop.time() + patience, set[str]()
        while loop.time() < until:
            log.mark()
            await asyncio.sleep(seconds)
            calls = await asyncio.to_thread(log.calls)
            agents_seen = {c.agent for c in calls if c.writes and c.resource not in _HEARTBEATS}
            busy = agents_seen if agents is None else agents_seen & agents
            if not busy:
                return
        raise TimeoutError(f"{', '.join(sorted(busy))} still write after {patience:.0f} s")


@asynccontextmanager
async def cluster(
    name: str, nodes: int = 20, keep: bool = False, apiserver: Sequence[str] = ()
) -> AsyncIterator[Cluster]:
    """A cluster of `nodes` simulated nodes and ten namespaces, taken down at the end; `apiserver`
    are more flags of that part.
    """
    extra = {**EXTRA, "apiserver": (*EXTRA["apiserver"], *apiserver)}
    options = Options(
        name=name, mode=Mode.SIMULATED, nodes=nodes, extra=extra, owner=os.getpid(), quiet=True
    )
    sandbox = await asyncio.to_thread(Sandbox.up, options)
    try:
        simulated(sandbox.kubeconfig)
        async with Client.connect(sandbox.kubeconfig, "bench-driver") as client:
            for namespace in NAMESPACES:
                await client.post("/api/v1/namespaces", {"metadata": {"name": namespace}})
            for namespace in NAMESPACES:
                await _accounted(client, namespace)
            yield Cluster(sandbox, AuditLog(sandbox.audit_log), client)
    finally:
        if not keep:
            await asyncio.to_thread(sandbox.down)


async def _accounted(client: Client, namespace: str) -> None:
    """Waits for the default service account: without it no pod can be made."""
    for _ in range(300):
        accounts = await client.get(f"/api/v1/namespaces/{namespace}/serviceaccounts")
        if accounts["items"]:
            return
        await asyncio.sleep(0.1)
    raise RuntimeError(f"no service account in {namespace} after 30 s")
