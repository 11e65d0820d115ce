"""The engine: caches of the cluster, a queue, and workers that decide and write."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from operator import itemgetter
from typing import cast

from canarium.engine.cache.analysis_targets import analysis_target
from canarium.engine.cache.informers import Informers, Namespace
from canarium.engine.cache.model_deployments import CachedModel
from canarium.engine.cache.store import Key, Store
from canarium.engine.cache.volume_sources import sources
from canarium.engine.external_facts import ExternalFacts
from canarium.engine.instrumentation import Observer
from canarium.engine.queue import Urgency, WorkQueue
from canarium.engine.reconciler import Reconciler
from canarium.engine.workers import EXPRESS, Workers
from canarium.kube.client import Api
from canarium.kube.clock import Timing
from canarium.kube.fair_reads import FairReads
from canarium.render.fetch_container import FetcherConfig
from canarium.render.runtime_catalog import RuntimeTemplate
from canarium.signals.default_prometheus import DefaultPrometheus
from canarium.signals.http_client import HttpClient
from canarium.signals.monitor import SignalMonitor
from canarium.signals.pod_events import PodEvents
from canarium.signals.workload_identity import WorkloadIdentity
from canarium.sources.example_reader import RegistryExamples
from canarium.sources.gate_jobs import GateJobs
from canarium.sources.lineage import LineageReader
from canarium.sources.platform import Platform
from canarium.sources.registries import Registries
from canarium.sources.resolver import SourceResolver
from canarium.sources.tags import TagWriter
from canarium.sources.web_gates import GateClient, WebGates

#: Seconds that a key waits while its namespace is being listed.
_UNTIL_LISTED = 0.1


class Engine:
    """Wires caches, queue, signals and workers of one process. Models are observed from outside, by
    `store.parents.observe`.

    `workers` is how many keys are worked on at once, besides the workers reserved for rollbacks;
    `cluster_name` is part of the tags in registries; `leads` returns whether this process decides
    about the models of a namespace, all of them by default.
    """

    def __init__(
        self,
        api: Api,
        *,
        namespaces: Iterable[Namespace] = (None,),
        workers: int = 8,
        timing: Timing | None = None,
        observer: Observer | None = None,
        web: HttpClient | None = None,
        identity: WorkloadIdentity | None = None,
        prometheus: DefaultPrometheus | None = None,
        kit: FetcherConfig | None = None,
        notifies: bool = False,
        approvals_enforced: bool = False,
        cluster_name: str = "",
        built_in: Mapping[str, RuntimeTemplate] | None = None,
        leads: Callable[[str], bool] | None = None,
    ) -> None:
        self.timing = timing or Timing()
        self.queue: WorkQueue[Key] = WorkQueue(
            self.timing, observer, share=itemgetter(0), workers=workers + EXPRESS
        )
        self._leads = leads
        #: Models that this process may have work under way for, where it may have to end that.
        self._decided: set[Key] = set()
        self.store = Store(self.queue.add if leads is None else self._wake)
        if built_in is not None:
            self.store.runtimes.built_in = built_in
        self.informers = Informers(
            api,
            self.store.caches,
            self.timing,
            runtimes=self.store.runtimes,
            gateways=self.store.gateways,
            claims=self.store.claims,
            budgets=self.store.budgets,
            model_gates=self.store.model_gates,
            check_templates=self.store.check_templates,
        )
        self.store.wants = self.informers.want
        self.external = self._external_facts(
            api, web or HttpClient(), cluster_name, identity, prometheus, kit
        )
        self.reconciler = Reconciler(
            api,
            self.store,
            self.queue,
            self.timing,
            observer,
            self.external,
            kit,
            notifies=notifies,
            approvals_enforced=approvals_enforced,
        )
        self.workers = Workers(
            self.queue, self.reconcile, count=workers, timing=self.timing, observer=observer
        )
        self._namespaces = tuple(namespaces)

    async def run(self, lead: Callable[[], Awaitable[None]] | None = None) -> None:
        """Watches the cluster and reconciles until cancelled.

        `lead` is awaited between the two, with warm caches: only a leader writes.
        """
        try:
            for namespace in self._namespaces:
                self.watch_namespace(namespace)
            await self.informers.synced()
            if lead:
                await lead()
            await self.workers.run()
        finally:
            await self.external.close()
            await self.informers.stop_all()

    def _external_facts(
        self,
        api: Api,
        web: HttpClient,
        cluster_name: str,
        identity: WorkloadIdentity | None,
        prometheus: DefaultPrometheus | None,
        kit: FetcherConfig | None,
    ) -> ExternalFacts:
        wake, timing = self._signalled, self.timing
        platform = Platform.of(dict(kit.environment), kit.ca) if kit else None
        # Sources of facts only read.
        api = cast(Api, FairReads(api, timing))
        signals = SignalMonitor(
            api, web, partial(analysis_target, self.store), wake, timing, identity, prometheus
        )
        registries = Registries(
            api, signals.access, timing.clock, signals.authenticator.authorities, platform
        )
        signals.examples = RegistryExamples(registries)
        questions = GateClient(signals.authenticator, signals.access, self.store.uid)
        return ExternalFacts(
            signals,
            PodEvents(api, partial(sources, self.store), wake, timing),
            SourceResolver(registries, wake, timing),
            LineageReader(registries, wake, timing),
            TagWriter(registries, wake, cluster_name, timing),
            WebGates(questions.ask, wake, timing),
            GateJobs(api, wake, timing),
        )

    def _signalled(self, key: Key, urgent: bool) -> None:
        """Queues a model whose signals changed; one that fails a version takes priority."""
        self._wake(key, Urgency.FAULT if urgent else Urgency.CHANGE)

    def _wake(self, key: Key, urgency: Urgency) -> None:
        if self.leads(key[0]):
            self.queue.add(key, urgency)

    def leads(self, namespace: str) -> bool:
        """Returns whether this process decides about models in `namespace`."""
        return self._leads is None or self._leads(namespace)

    @property
    def led_models(self) -> Mapping[Key, CachedModel]:
        """The models that this process decides about, by namespace and name."""
        models = self.store.parents.items
        if self._leads is None:
            return models
        return {key: model for key, model in models.items() if self._leads(key[0])}

    def take(self, concerned: Callable[[str], bool]) -> None:
        """Begins to decide about the models of namespaces that this process leads from now on."""
        for key in self.store.parents.items:
            if concerned(key[0]):
                self._wake(key, Urgency.CHANGE)

    async def hand_over(self, concerned: Callable[[str], bool]) -> None:
        """Ends all work for the models of namespaces that this process leads no longer."""
        await self.workers.finished(lambda key: concerned(key[0]))
        for key in [key for key in self._decided if concerned(key[0])]:
            self._decided.discard(key)
            self.reconciler.forget(key)

    def watches(self, namespace: str) -> bool:
        """Returns whether models in `namespace` are observed.

        Those of the configured namespaces are, from the start: kopf may report models before the
        watches of their children start, and it reports each only once.
        """
        configured = None in self._namespaces or namespace in self._namespaces
        return configured or self.informers.watches(namespace)

    def watch_namespace(self, namespace: Namespace) -> None:
        """Starts watching `namespace`; its models are reconciled once everything is listed."""
        self.informers.start(namespace)

    async def unwatch_namespace(self, namespace: str) -> None:
        """Stops watching `namespace`: its models stay as they are."""
        self.store.parents.drop(namespace)
        await self.informers.stop(namespace)

    async def reconcile(self, key: Key) -> None:
        """Reconciles `key`, or queues it again until its namespace has been listed.

        A delay may be due after another process has taken its namespace.
        """
        if self._leads is not None:
            if not self._leads(key[0]):
                return
            self._decided.add(key)
        if self.informers.covers(key[0]):
            await self.reconciler.reconcile(key)
        elif self.store.parent(key):
            self.queue.add_after(key, _UNTIL_LISTED, Urgency.CHANGE)
