"""Facts that no cache has: what pods, registries and systems of users answer.

Each source is level-triggered: a plan states what it needs (`SignalRequests`), a source starts what
is new, stops what is no longer requested, and wakes the model when an answer arrives. Answers are
added to the facts of the next decision. To add a source: a field here, a line in each method, its
request in `SignalRequests`, and its answer in `Observed`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

from canarium.api.effective_smoke_tests import EffectiveSmokeTest
from canarium.core.decision.plan import SignalRequests
from canarium.core.evidence.verdict import Evidence
from canarium.core.facts.observed import Observed
from canarium.engine.cache.store import Key
from canarium.signals.monitor import SignalMonitor
from canarium.signals.pod_events import PodEvents
from canarium.sources.gate_jobs import GateJobs
from canarium.sources.lineage import LineageReader
from canarium.sources.resolver import SourceResolver
from canarium.sources.tags import TagWriter
from canarium.sources.web_gates import WebGates


class _Source(Protocol):
    def forget(self, key: Key) -> None: ...

    async def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class ExternalFacts:
    """The sources of a process. One that is None is never asked, and its facts are missing."""

    signals: SignalMonitor | None = None
    pod_events: PodEvents | None = None
    resolver: SourceResolver | None = None
    lineage: LineageReader | None = None
    tags: TagWriter | None = None
    web_gates: WebGates | None = None
    gate_jobs: GateJobs | None = None

    def add_to(self, facts: Observed, key: Key) -> Observed:
        """Returns `facts` about a model with the latest answers."""
        smoke, evidence = self.signals.facts(key) if self.signals else (None, None)
        facts = replace(
            facts,
            smoke=smoke,
            evidence=evidence,
            resolution=self.resolver.result(key) if self.resolver else None,
            training_run=self.lineage.result(key) if self.lineage else None,
            tag=self.tags.result(key) if self.tags else None,
            gate_answers=self.web_gates.answers(key) if self.web_gates else (),
            job_reports=self.gate_jobs.reports(key) if self.gate_jobs else (),
        )
        return facts.with_troubles(self.pod_events.troubles(key)) if self.pod_events else facts

    def evidence(self, key: Key) -> Evidence | None:
        """Returns the latest result of the analysis of a model."""
        return self.signals.facts(key)[1] if self.signals else None

    def resolve(self, key: Key, requests: SignalRequests) -> float | None:
        """Requests what is to be resolved, and returns the seconds for which a decision may wait
        for its first result; None for none (R26)."""
        if self.resolver is None:
            return None
        self.resolver.want(key, requests.resolve, requests.follow)
        return self.resolver.grace_left(key)

    def want(
        self, key: Key, requests: SignalRequests, tests: tuple[EffectiveSmokeTest, ...]
    ) -> None:
        """Requests everything else; `tests` are the smoke tests of the spec."""
        if self.signals:
            self.signals.want(key, requests, tests if requests.smoke else ())
        if self.pod_events:
            self.pod_events.want(key, requests.pod_events)
        if self.lineage:
            self.lineage.want(key, requests.training_run)
        if self.tags:
            self.tags.want(key, requests.tag)
        if self.web_gates:
            self.web_gates.want(key, requests.gates)
        if self.gate_jobs:
            self.gate_jobs.want(key, requests.jobs)

    def forget(self, key: Key) -> None:
        """Stops everything for a model about which nothing is decided."""
        for source in self._sources():
            source.forget(key)

    async def close(self) -> None:
        """Stops everything."""
        for source in self._sources():
            await source.close()

    def _sources(self) -> tuple[_Source, ...]:
        sources: tuple[_Source | None, ...] = (
            self.signals,
            self.pod_events,
            self.resolver,
            self.lineage,
            self.tags,
            self.web_gates,
            self.gate_jobs,
        )
        return tuple(source for source in sources if source is not None)
