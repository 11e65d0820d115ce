"""The process `canarium notify`: watches models, and runs the deliveries of each sink."""

from __future__ import annotations

import asyncio
import logging
import signal
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from canarium.core.times import parse
from canarium.kube.cache import Cache
from canarium.kube.clock import Timing
from canarium.kube.errors import ApiError
from canarium.kube.http import Client
from canarium.kube.identity import Identity
from canarium.kube.lease import Lease
from canarium.kube.reflector import Reflector
from canarium.kube.resources import MODELS
from canarium.kube.throttle import Throttle
from canarium.notifier.apprise_sender import AppriseSender
from canarium.notifier.cloud_events import CloudEventSender
from canarium.notifier.cursors import Cursors
from canarium.notifier.deliveries import Deliveries
from canarium.notifier.metrics import NotifierMetrics
from canarium.notifier.notification import ModelTransitions, project
from canarium.notifier.sender import SecretFiles, Sender
from canarium.notifier.settings import Settings, Sink
from canarium.telemetry.metrics_server import serve_metrics
from canarium.telemetry.probes import serve_probes

log = logging.getLogger(__name__)
#: Name of the Lease, and prefix of the ConfigMaps.
NAME = "canarium-notifier"
#: Seconds between two writes of the cursors: what a crash delivers again.
_STORE_EVERY = 2.0
#: Cursors older than this are dropped: no status reports a transition so late.
_KEEP = 3600.0
#: Seconds of silence of a watch after which the process is restarted.
_SILENT = 180.0
_FIRST_WAIT, _LONGEST_WAIT = 0.5, 30.0


@dataclass(frozen=True, slots=True)
class Options:
    """The options of one process. `namespace` is that of Lease and ConfigMaps."""

    settings: Settings
    namespace: str
    secrets: Path
    #: Duration, renew deadline and retry period of the Lease, in seconds.
    lease_times: tuple[float, float, float] = (15.0, 10.0, 2.0)
    kubeconfig: str | None = None
    context: str | None = None
    #: Namespaces whose models are watched; empty: all.
    watched: tuple[str, ...] = ()
    health: tuple[str, int] | None = None
    metrics_port: int | None = None
    #: Folder with `tls.crt` and `tls.key`; None: plain HTTP.
    metrics_certificate: Path | None = None


def sender_of(sink: Sink, secrets: SecretFiles, cluster: str) -> Sender:
    """Returns what sends to a sink. Raises SettingsInvalid for a template that cannot be used."""
    if sink.cloud_events:
        return CloudEventSender(sink.cloud_events, secrets, cluster)
    if sink.traces:
        # Only a process that sends traces loads protobuf.
        from canarium.notifier.otlp_traces import TraceSender

        return TraceSender(sink.traces, secrets, cluster)
    assert sink.apprise
    return AppriseSender(sink, sink.apprise, secrets, cluster)


def check(settings: Settings, secrets: Path) -> None:
    """Raises SettingsInvalid, with the sink and the field, for a template that cannot be used."""
    for sink in settings.sinks:
        sender_of(sink, SecretFiles(secrets), settings.cluster)


class Notifier:
    """One process; only the holder of the Lease delivers."""

    def __init__(self, options: Options, timing: Timing | None = None) -> None:
        self._options = options
        self._timing = timing or Timing()
        secrets, cluster = SecretFiles(options.secrets), options.settings.cluster
        self._senders = {
            sink.name: sender_of(sink, secrets, cluster) for sink in options.settings.sinks
        }
        self._deliveries: tuple[Deliveries, ...] = ()
        self._reflectors: tuple[Reflector, ...] = ()
        self._metrics = NotifierMetrics()
        self._metrics.describe(
            lambda: [(d.sink.name, len(d.outbox), self._oldest(d)) for d in self._deliveries]
        )
        self.started = asyncio.Event()

    async def run(self) -> None:
        """Runs until cancelled, or until the Lease is lost. Raises OSError for a port in use."""
        options = self._options
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(
                Client.connect(options.kubeconfig, options.context, agent=f" ({NAME})")
            )
            if options.metrics_port is not None:
                await stack.enter_async_context(
                    serve_metrics(
                        self._metrics.registry,
                        "",
                        options.metrics_port,
                        certificate=options.metrics_certificate,
                    )
                )
            if options.health:
                await stack.enter_async_context(
                    serve_probes(*options.health, alive=self.stuck, ready=list)
                )
            lease = Lease(
                client, options.namespace, NAME, Identity.of_process(), *options.lease_times
            )
            await lease.acquire()
            stack.push_async_callback(lease.release)
            log.info("delivering to %s", ", ".join(self._senders))
            guarded = client.guarded(Throttle(20, 50), lambda namespace: lease.left())
            cursors = Cursors(guarded, options.namespace, NAME, self._timing)
            await self._load(cursors)
            await self._deliver(client, cursors, lease)

    def stuck(self) -> list[str]:
        """Returns what is stuck, one line each, for the liveness probe."""
        ages = [(r, r.age()) for r in self._reflectors]
        return [f"the {r} has been silent for {age:.0f} s" for r, age in ages if age > _SILENT]

    async def _load(self, cursors: Cursors) -> None:
        wait = _FIRST_WAIT
        while True:
            try:
                self._deliveries = tuple(
                    [
                        Deliveries(
                            sink,
                            self._senders[sink.name],
                            await cursors.load(sink.name),
                            self._metrics,
                            self._timing,
                        )
                        for sink in self._options.settings.sinks
                    ]
                )
            except ApiError as error:
                log.warning("cannot read the cursors: %s", error)
                await self._timing.sleep(self._timing.jitter(wait))
                wait = min(wait * 2, _LONGEST_WAIT)
            else:
                return

    async def _deliver(self, client: Client, cursors: Cursors, lease: Lease) -> None:
        cache: Cache[ModelTransitions] = Cache(project, self._observe)
        self._reflectors = tuple(
            Reflector(client, MODELS, cache, namespace=namespace, timing=self._timing)
            for namespace in self._options.watched or (None,)
        )
        work = [reflector.run() for reflector in self._reflectors]
        work += [delivery.run() for delivery in self._deliveries]
        tasks = [asyncio.create_task(one) for one in (*work, self._keep(cursors))]
        tasks.append(asyncio.create_task(lease.lost.wait()))  # type: ignore[arg-type]
        self.started.set()
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
            if lease.lost.is_set():
                log.error("lost the Lease: another notifier may deliver now")
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for delivery in self._deliveries:
                await delivery.close()
            await self._store(cursors)

    def _observe(self, old: ModelTransitions | None, new: ModelTransitions | None) -> None:
        if new:
            for delivery in self._deliveries:
                delivery.observe(new, old)

    async def _keep(self, cursors: Cursors) -> None:
        """Stores the cursors of each sink while they change."""
        while True:
            await self._timing.sleep(_STORE_EVERY)
            await self._store(cursors)
            # Until all models are listed, an old transition may still be undelivered.
            if all(reflector.synced.is_set() for reflector in self._reflectors):
                for delivery in self._deliveries:
                    delivery.forget_before(self._timing.now() - _KEEP)

    async def _store(self, cursors: Cursors) -> None:
        for delivery in self._deliveries:
            if not delivery.changed:
                continue
            delivery.changed = False
            try:
                await cursors.store(delivery.sink.name, delivery.outbox)
            except ApiError as error:
                delivery.changed = True
                log.warning("sink %s: cannot store the cursors: %s", delivery.sink.name, error)

    def _oldest(self, delivery: Deliveries) -> float:
        oldest = delivery.outbox.oldest
        return max(self._timing.now() - parse(oldest), 0.0) if oldest else 0.0


def run(options: Options) -> int:
    """Runs until the process is asked to stop (0) or the Lease is lost (1)."""

    async def main() -> int:
        running = asyncio.create_task(Notifier(options).run())
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, running.cancel)
        try:
            await running
        except asyncio.CancelledError:
            return 0
        return 1

    return asyncio.run(main())
