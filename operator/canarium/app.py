"""The composition root: wires client, reconciler and kopf together; nothing else does."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import uuid
from contextlib import AsyncExitStack
from dataclasses import dataclass

from canarium.engine.engine import Engine
from canarium.kube.lease import Lease
from canarium.kube.transport import Client
from canarium.telemetry.metrics import Metrics, State
from canarium.telemetry.server import served

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Settings:
    """Process settings. Without a kubeconfig, the cluster around the process is used."""

    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None
    workers: int = 8
    #: Where the Lease is kept; None: no other operator may run.
    lease_namespace: str | None = None
    #: Where `/metrics` is served, on all addresses; None: nowhere.
    metrics_port: int | None = None


class Application:
    """The operator's own part of the process: it starts and stops with kopf's."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stack = AsyncExitStack()
        self._task: asyncio.Task[None] | None = None
        self._lease: Lease | None = None
        self._guard: asyncio.Task[None] | None = None
        self.engine: Engine

    async def start(self) -> None:
        metrics = Metrics() if self._settings.metrics_port is not None else None
        client = await self._stack.enter_async_context(
            Client.connect(
                self._settings.kubeconfig,
                self._settings.context,
                [metrics.trace()] if metrics else [],
            )
        )
        self.engine = Engine(
            client,
            namespaces=[self._settings.namespace],
            workers=self._settings.workers,
            observer=metrics,
        )
        if metrics:
            await self._measure(metrics)
        if self._settings.lease_namespace:
            identity = f"{socket.gethostname()}_{uuid.uuid4().hex[:8]}"
            self._lease = Lease(client, self._settings.lease_namespace, "canarium", identity)
        self._task = asyncio.create_task(self.engine.run(self._lead))

    async def _measure(self, metrics: Metrics) -> None:
        engine = self.engine
        metrics.describe(
            State(
                queue_depth=lambda: engine.queue.depth,
                queue_oldest=engine.queue.oldest,
                oldest_watch=self.oldest_watch,
                leading=lambda: engine.workers.running,
                statuses=lambda: (
                    p.raw.get("status") or {} for p in engine.store.parents.items.values()
                ),
            )
        )
        port = self._settings.metrics_port or 0
        port = await self._stack.enter_async_context(served(metrics, "0.0.0.0", port))
        log.info("metrics at :%d/metrics", port)
        task = asyncio.create_task(metrics.follow_loop(), name="loop lag")
        self._stack.callback(task.cancel)

    async def _lead(self) -> None:
        """Returns when this process is the one that may write."""
        if self._lease:
            await self._lease.acquire()
            self._guard = asyncio.create_task(self._exit_when_lost(self._lease))
            log.info("leading")

    async def _exit_when_lost(self, lease: Lease) -> None:
        await lease.lost.wait()
        log.error("the lease is lost: another operator may write now")
        if self._task:
            self._task.cancel()
        os.kill(os.getpid(), signal.SIGTERM)

    async def stop(self) -> None:
        tasks = [task for task in (self._guard, self._task) if task]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._lease:
            await self._lease.release()
        await self._stack.aclose()

    def oldest_watch(self) -> float:
        """Seconds since the quietest watch gave a sign of life.

        Raises RuntimeError when the engine has ended, so that the probe fails.
        """
        if self._task and self._task.done():
            raise RuntimeError("the engine has ended")
        return max((r.age() for r in self.engine.following.reflectors()), default=0.0)
