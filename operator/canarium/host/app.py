"""The composition root: wires client, engine, lease, probes and kopf together."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import socket
import uuid
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any

import aiohttp

from canarium.config import Config
from canarium.engine.engine import Engine
from canarium.engine.liveness import stuck
from canarium.engine.workers import EXPRESS
from canarium.host import crd_check, kopf_retries, scope_conflicts
from canarium.host.crd_check import CrdMismatch
from canarium.host.kopf_watch import Insights, KopfWatch
from canarium.host.namespaces import NamespaceSelection
from canarium.host.probes import serve_probes
from canarium.host.scope_conflicts import LEASE, SCOPE, ScopeConflicts
from canarium.kube.clock import Timing
from canarium.kube.http import Client, Limits
from canarium.kube.lease import Lease
from canarium.kube.throttle import Throttle
from canarium.kube.trust import Trust
from canarium.render.fetch_container import FetcherConfig
from canarium.signals.addresses import AddressPolicy
from canarium.signals.http_client import HttpClient
from canarium.telemetry.metrics import Metrics, State
from canarium.telemetry.server import served

log = logging.getLogger(__name__)
#: Models that are worked on at once, for each write that may be in flight: those whose request was
#: refused, or is slow, wait without holding up others.
_KEYS_PER_WRITE = 4
#: For how long a process that lost its lease may take to end before it is ended.
_LAST_BREATH = 5.0
#: Seconds of refused certificates after which a restart may help. A kubelet takes up to two minutes
#: to bring a new bundle into a pod.
_UNTRUSTED = 180.0


class Application:
    """The operator's own part of the process: it starts and stops with kopf's."""

    def __init__(self, settings: Config) -> None:
        self._settings = settings
        self._stack = AsyncExitStack()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._lease: Lease | None = None
        self._trust: Trust | None = None
        self._leading = False
        self._timing = Timing()
        #: Why this process does not lead although it could, in words.
        self._waiting: list[str] = ["the CRDs have not been looked at"]
        #: Why this process refuses to work at all; it then ends with exit code 1.
        self.refusal = ""
        self._selection: NamespaceSelection | None = None
        #: What kopf knows of the cluster; its namespaces are ours to say.
        self.insights = Insights()
        self.engine: Engine
        self.watching: KopfWatch
        self._client: Client

    async def start(self) -> None:
        settings = self._settings
        identity = f"{socket.gethostname()}_{uuid.uuid4().hex[:8]}"
        metrics = Metrics() if settings.metrics_port is not None else None
        self._client = client = await self._stack.enter_async_context(
            Client.connect(
                settings.kubeconfig,
                settings.context,
                [metrics.trace()] if metrics else [],
                agent=f" ({identity})",
            )
        )
        self._trust = client.trust
        if settings.lease_namespace:
            self._lease = Lease(
                client,
                settings.lease_namespace,
                LEASE,
                identity,
                duration=settings.lease_duration,
                renew=settings.lease_renew,
                retry=settings.lease_retry,
                notes={SCOPE: scope_conflicts.scope(settings)},
            )
        throttle = Throttle(settings.qps, settings.burst)
        selected = bool(settings.namespace_selector)
        self.engine = Engine(
            client.guarded(
                throttle,
                self._lease.left if self._lease else None,
                Limits.of(settings.workers + EXPRESS),
            ),
            namespaces=() if selected else settings.namespaces or (None,),
            workers=_KEYS_PER_WRITE * settings.workers,
            observer=metrics,
            web=HttpClient(AddressPolicy.of(settings.allow_address, settings.refuse_address)),
            kit=FetcherConfig(
                settings.fetch_image,
                settings.fetch_image_pull_policy,
                settings.oci_volumes,
                settings.fetch_reserve,
            )
            if settings.fetch_image
            else None,
        )
        self.watching = KopfWatch(client, self.engine, self.insights)
        if metrics:
            await self._measure(metrics)
        if settings.health:
            await self._stack.enter_async_context(
                serve_probes(*settings.health, alive=self.stuck, ready=self.unready)
            )
        if selected:
            self._selection = NamespaceSelection(client, settings.namespace_selector)
            self._spawn(
                "selection", self._selection.run(self.watching.follow, self.watching.unfollow)
            )
        self._spawn("comparison of models", self.watching.compare())
        self._spawn("engine", self._operate())

    def _spawn(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        self._tasks[name] = asyncio.create_task(work, name=name)

    async def _measure(self, metrics: Metrics) -> None:
        engine = self.engine
        metrics.describe(
            State(
                queue_depth=lambda: engine.queue.depth,
                queue_oldest=engine.queue.oldest,
                oldest_watch=lambda: max(
                    (r.age() for r in engine.informers.reflectors()), default=0.0
                ),
                leading=lambda: engine.workers.running,
                phases=lambda: (p.phase for p in engine.store.parents.items.values()),
            )
        )
        port = self._settings.metrics_port or 0
        port = await self._stack.enter_async_context(served(metrics, "", port))
        log.info("metrics at :%d/metrics", port)
        self._spawn("loop lag", metrics.follow_loop())

    async def _operate(self) -> None:
        """The engine, once the CRDs are known to fit."""
        try:
            await crd_check.fit(self._client, self._timing)
        except CrdMismatch as error:
            self.refusal = str(error)
            log.error("refusing to start: %s", error)
            os.kill(os.getpid(), signal.SIGTERM)
            return
        self._waiting = []
        await self.engine.run(self._lead)

    async def _lead(self) -> None:
        """Returns when this process is the one that may write."""
        if self._selection:
            await self._selection.reflector.synced.wait()
        if self._lease:
            log.info("standing by")
            await self._elected(self._lease)
            self._leading = True
            self._spawn("guard of the lease", self._exit_when_lost(self._lease))
        log.info("leading")

    async def _elected(self, lease: Lease) -> None:
        """Returns with the lease ours, and no other operator of our namespaces."""
        settings = self._settings
        others = ScopeConflicts(
            self._client,
            settings.lease_namespace or "",
            scope_conflicts.scope(settings),
            self._timing,
        )
        while True:
            await self._alone(others)
            await lease.acquire()
            # Who came in the meantime has not seen our claim, and we see theirs.
            if not await others.found():
                return
            await lease.release()
            await self._timing.sleep(self._timing.jitter(settings.lease_retry))

    async def _alone(self, others: ScopeConflicts) -> None:
        while found := await others.found():
            if found != self._waiting:
                log.error("not leading: %s", "; ".join(found))
            self._waiting = found
            await self._timing.sleep(self._timing.jitter(self._settings.lease_retry))
        self._waiting = []

    async def _exit_when_lost(self, lease: Lease) -> None:
        """The fence stops every new write; this ends those under way, and then the process."""
        await lease.lost.wait()
        log.error("the lease is lost: another operator may write now")
        self._tasks["engine"].cancel()
        asyncio.get_running_loop().call_later(_LAST_BREATH, os._exit, 1)
        os.kill(os.getpid(), signal.SIGTERM)

    async def stop(self) -> None:
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._lease:
            await self._lease.release()
        await self._stack.aclose()

    def session(self) -> tuple[str, aiohttp.ClientSession]:
        """The API server's URL, and a session for kopf: our connections and credentials."""
        return self._client.host, self._client.companion(
            self.watching.trace(), kopf_retries.middleware
        )

    def stuck(self) -> list[str]:
        """What does not get on, in words (liveness)."""
        found = [f"the {name} has ended" for name, task in self._tasks.items() if task.done()]
        found += stuck(self.engine)
        found += self.watching.stuck()
        if self._selection and (age := self._selection.reflector.age()) > 180:
            found.append(f"the {self._selection.reflector} has no sign of life for {age:.0f} s")
        untrusted = self._trust.refused_for() if self._trust else 0.0
        if untrusted > _UNTRUSTED:
            found.append(
                f"no request has found a trusted API server for {untrusted:.0f} s: its "
                "certificate is not signed by the cluster's authority as this process knows it"
            )
        if self._lease and self._leading:
            limit = 2 * self._settings.lease_duration
            if (age := self._lease.age()) > limit:
                found.append(f"the lease has not been renewed for {age:.0f} s")
        return found

    def unready(self) -> list[str]:
        """What is missing until this process could take over at once (readiness)."""
        found = list(self._waiting)
        if self._selection and not self._selection.reflector.synced.is_set():
            found.append("the namespaces are being listed")
        if not self.engine.informers.all_synced:
            found.append("the children are being listed")
        if not self.watching.synced():
            found.append("the models are being listed")
        return found
