"""The composition root: wires client, reconciler and kopf together; nothing else does."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from dataclasses import dataclass

from canarium.engine.reconciler import Reconciler
from canarium.kube.transport import Client


@dataclass(frozen=True, slots=True)
class Settings:
    """Process settings. Without a kubeconfig, the cluster around the process is used."""

    kubeconfig: str | None = None
    context: str | None = None
    namespace: str | None = None
    workers: int = 8


class Application:
    """The operator's own part of the process: it starts and stops with kopf's."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stack = AsyncExitStack()
        self._task: asyncio.Task[None] | None = None
        self.reconciler: Reconciler

    async def start(self) -> None:
        client = await self._stack.enter_async_context(
            Client.connect(self._settings.kubeconfig, self._settings.context)
        )
        self.reconciler = Reconciler(client, self._settings.namespace)
        self._task = asyncio.create_task(self.reconciler.run(self._settings.workers))

    async def stop(self) -> None:
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self._stack.aclose()

    def oldest_watch(self) -> float:
        """Seconds since the quietest watch gave a sign of life.

        Raises RuntimeError when the reconciler has ended, so that the probe fails.
        """
        if self._task and self._task.done():
            raise RuntimeError("the reconciler has ended")
        return max(i.age() for i in self.reconciler.store.informers.values())
