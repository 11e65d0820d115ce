"""The composition root: wires client, engine, Lease, probes and kopf together."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aiohttp

from canarium.api.authentication import SigV4
from canarium.config import Config
from canarium.engine.engine import Engine
from canarium.engine.liveness import stuck
from canarium.engine.workers import EXPRESS
from canarium.host import crd_check, kopf_retries, scope_conflicts, server_version
from canarium.host.crd_check import CrdMismatch
from canarium.host.kopf_watch import Insights, KopfWatch
from canarium.host.model_metrics import model_series
from canarium.host.namespaces import NamespaceSelection
from canarium.host.scope_conflicts import LEASE, SCOPE, ScopeConflicts
from canarium.host.sharding import Sharding
from canarium.kube.clock import Timing
from canarium.kube.http import Client, Fence
from canarium.kube.identity import Identity
from canarium.kube.lease import Lease
from canarium.kube.limiter import ConcurrencyLimits
from canarium.kube.shared_lease import SharedLease
from canarium.kube.throttle import Throttle
from canarium.kube.trust import Trust
from canarium.render.fetch_container import FetcherConfig
from canarium.render.runtime_adaptation import adapted
from canarium.signals.addresses import AddressPolicy
from canarium.signals.default_prometheus import DefaultPrometheus
from canarium.signals.http_client import HttpClient
from canarium.signals.workload_identity import WorkloadIdentity
from canarium.telemetry.metrics import OperatorMetrics
from canarium.telemetry.metrics_server import serve_metrics
from canarium.telemetry.operator_state import State
from canarium.telemetry.probes import serve_probes

log = logging.getLogger(__name__)
#: Concurrent reconciles for each write that may be in flight: reconciles whose request is slow, or
#: was throttled, wait without delaying others.
_KEYS_PER_WRITE = 4
#: Seconds that a process that lost its Lease has to exit by itself.
_LAST_BREATH = 5.0
#: Seconds of untrusted certificates after which a restart may help. A kubelet takes up to two
#: minutes to update the bundle in a pod.
_UNTRUSTED = 180.0


class Application:
    """The operator's part of the process: it starts and stops with kopf."""

    def __init__(self, settings: Config) -> None:
        self._settings = settings
        self._stack = AsyncExitStack()
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._lease: Lease | SharedLease | None = None
        self._sharding: Sharding | None = None
        self._trust: Trust | None = None
        self._leading = False
        self._timing = Timing()
        #: Why this process is not a candidate for leadership, one line each.
        self._waiting: list[str] = ["the CRDs have not been checked yet"]
        #: Why this process refuses to start; it then exits with code 1.
        self.refusal = ""
        self._selection: NamespaceSelection | None = None
        #: What kopf knows of the cluster; we add and remove its namespaces.
        self.insights = Insights()
        self.engine: Engine
        self.watching: KopfWatch
        self._client: Client

    async def start(self) -> None:
        settings = self._settings
        identity = Identity.of_process()
        metrics = OperatorMetrics() if settings.metrics_port is not None else None
        self._client = client = await self._stack.enter_async_context(
            Client.connect(
                settings.kubeconfig,
                settings.context,
                [metrics.trace()] if metrics else [],
                agent=f" ({identity.name})",
            )
        )
        self._trust = client.trust
        fence = self._candidacy(identity)
        throttle = Throttle(settings.qps, settings.burst)
        selected = bool(settings.namespace_selector)
        self.engine = Engine(
            client.guarded(
                throttle,
                fence,
                ConcurrencyLimits.of(settings.workers + EXPRESS),
            ),
            namespaces=() if selected else settings.namespaces or (None,),
            workers=_KEYS_PER_WRITE * settings.workers,
            observer=metrics,
            web=HttpClient(AddressPolicy.of(settings.allow_address, settings.refuse_address)),
            identity=WorkloadIdentity(settings.allow_identity, self._timing),
            kit=FetcherConfig(
                settings.fetch_image,
                settings.fetch_image_pull_policy,
                settings.oci_volumes,
                settings.fetch_reserve,
                settings.fetch_resources,
                settings.fetch_security_context,
                settings.fetch_env,
                settings.fetch_pull_secret,
                settings.fetch_ca,
            )
            if settings.fetch_image
            else None,
            notifies=settings.record_transitions,
            approvals_enforced=settings.accept_approvals,
            cluster_name=settings.cluster_name,
            built_in=adapted(
                settings.runtime_image_registry, user_ids=not settings.assigned_user_ids
            ),
            prometheus=_prometheus(settings),
            leads=self._sharding.leads if self._sharding else None,
        )
        if self._sharding:
            self._sharding.connect(self.engine)
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
                "selection",
                self._selection.run(self.watching.watch_namespace, self.watching.unwatch_namespace),
            )
        self._spawn("comparison of models", self.watching.compare())
        self._spawn("engine", self._operate())

    def _candidacy(self, identity: Identity) -> Fence | None:
        """Makes this process a candidate of its Lease, if any; returns the fence of its writes."""
        settings = self._settings
        if not settings.lease_namespace:
            return None
        where = (self._client, settings.lease_namespace, LEASE, identity)
        times = (settings.lease_duration, settings.lease_renew, settings.lease_retry)
        notes = {SCOPE: scope_conflicts.scope(settings)}
        if settings.shards == 1:
            self._lease = lease = Lease(*where, *times, notes=notes)
            return lambda namespace: lease.left()
        self._lease = shared = SharedLease(*where, settings.shards, *times, notes=notes)
        self._sharding = Sharding(shared, settings.shards)
        return shared.left

    def _is_leading(self) -> bool:
        running = self.engine.workers.running
        return running and (self._sharding is None or self._sharding.led() > 0)

    def _spawn(self, name: str, work: Coroutine[Any, Any, None]) -> None:
        self._tasks[name] = asyncio.create_task(work, name=name)

    async def _measure(self, metrics: OperatorMetrics) -> None:
        engine = self.engine
        metrics.describe(
            State(
                queue_depth=lambda: engine.queue.depth,
                queue_oldest=engine.queue.oldest,
                oldest_watch=lambda: max(
                    (r.age() for r in engine.informers.reflectors()), default=0.0
                ),
                leading=self._is_leading,
                phases=lambda: (p.phase for p in engine.led_models.values()),
                running=engine.workers.running_for,
                workers=engine.workers.capacity,
                server=self._client.server,
                lease=LEASE if self._lease else "",
                shards=sharding.led if (sharding := self._sharding) else None,
            )
        )
        port = self._settings.metrics_port or 0
        models = model_series(engine, metrics) if self._settings.metrics_per_model else None
        port = await self._stack.enter_async_context(
            serve_metrics(
                metrics.registry, "", port, models, certificate=self._settings.metrics_certificate
            )
        )
        log.info("metrics at :%d/metrics", port)
        self._spawn("loop lag", metrics.measure_loop_lag())

    async def _operate(self) -> None:
        """Runs the engine once the CRDs are known to fit."""
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
        """Waits until this process may write."""
        if self._selection:
            await self._selection.reflector.synced.wait()
        if self._lease:
            log.info("standing by")
            await self._elected(self._lease)
            self._leading = True
            self._spawn("Lease guard", self._exit_when_lost(self._lease))
        self.engine.store.server_minor = await server_version.minor_version(self._client)
        if self._sharding is None:
            log.info("leading")

    async def _elected(self, lease: Lease | SharedLease) -> None:
        """Waits until this process holds the Lease and no other operator manages its namespaces."""
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
            # An operator that started meanwhile may not have seen our scope, but we see its own.
            if not await others.conflicts():
                return
            await lease.release()
            await self._timing.sleep(self._timing.jitter(settings.lease_retry))

    async def _alone(self, others: ScopeConflicts) -> None:
        while conflicts := await others.conflicts():
            if conflicts != self._waiting:
                log.error("cannot lead: %s", "; ".join(conflicts))
            self._waiting = conflicts
            await self._timing.sleep(self._timing.jitter(self._settings.lease_retry))
        self._waiting = []

    async def _exit_when_lost(self, lease: Lease | SharedLease) -> None:
        """Ends writes under way, and then the process; the fence already stops new writes."""
        await lease.lost.wait()
        log.error("lost the Lease: another operator may write now")
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
        """Returns the API server's URL, and a session for kopf over our connections and
        credentials."""
        return self._client.host, self._client.companion(
            self.watching.trace(), kopf_retries.middleware
        )

    def stuck(self) -> list[str]:
        """Returns what is stuck, one line each, for the liveness probe."""
        problems = [f"the {name} has ended" for name, task in self._tasks.items() if task.done()]
        problems += stuck(self.engine)
        problems += self.watching.stuck()
        if self._selection and (age := self._selection.reflector.age()) > 180:
            problems.append(f"the {self._selection.reflector} has been silent for {age:.0f} s")
        untrusted = self._trust.refused_for() if self._trust else 0.0
        if untrusted > _UNTRUSTED:
            problems.append(
                f"the API server's certificate has not been trusted for {untrusted:.0f} s: it is "
                "not signed by the cluster's authority that this process loaded"
            )
        if self._lease and self._leading:
            limit = 2 * self._settings.lease_duration
            if (age := self._lease.age()) > limit:
                problems.append(f"the Lease has not been renewed for {age:.0f} s")
        return problems

    def unready(self) -> list[str]:
        """Returns what is missing until this process could take over, for the readiness probe."""
        reasons = list(self._waiting)
        if self._selection and not self._selection.reflector.synced.is_set():
            reasons.append("namespaces are still being listed")
        if not self.engine.informers.all_synced:
            reasons.append("child objects are still being listed")
        if not self.watching.synced():
            reasons.append("models are still being listed")
        return reasons


def _prometheus(settings: Config) -> DefaultPrometheus | None:
    folder = settings.prometheus_credentials
    return (
        DefaultPrometheus(
            settings.prometheus_url,
            Path(folder) if folder else None,
            settings.prometheus_timeout,
            settings.prometheus_namespace_parameter,
            _identity(settings),
        )
        if settings.prometheus_url
        else None
    )


def _identity(settings: Config) -> tuple[str, SigV4 | None] | None:
    """Returns how the default Prometheus is queried with the identity of the pod."""
    if settings.prometheus_identity is None:
        return None
    provider, region, service = settings.prometheus_identity
    return provider, SigV4(region=region, service=service) if region else None
