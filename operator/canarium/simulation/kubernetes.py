"""Kubernetes' part of the simulated cluster: pods, endpoints and gateways, in virtual time.

Pods take `boot` seconds to become ready; a version in `broken` has pods that exit instead.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal, Self

from canarium.api.status import Status
from canarium.core.decision import plan as p
from canarium.core.evidence.verdict import Evidence
from canarium.core.facts.check_templates import check_template
from canarium.core.facts.gate_answers import AnswerState, GateAnswer
from canarium.core.facts.gate_jobs import GateJob, GateService, JobOutcome, JobReport, JobRequest
from canarium.core.facts.gateways import Backend, Gateway, Listener, Route, RouteConflict
from canarium.core.facts.observed import (
    Autoscaler,
    BlockedDeletion,
    Deployment,
    DisruptionBudget,
    Observed,
    Rejection,
    ResolvedRuntime,
    Service,
    SmokeReport,
)
from canarium.core.facts.pods import Container, Pod
from canarium.core.facts.resolution import Resolution
from canarium.core.facts.revision import Record
from canarium.core.facts.training_run import RunResult
from canarium.core.facts.write_back import TagResult


@dataclass
class Kubernetes:
    spec: dict[str, Any]
    now: float = 1_000.0
    boot: float = 2.0
    grace: float = 1.0
    broken: set[str] = field(default_factory=set)
    status: Status = field(default_factory=Status)
    records: list[Record] = field(default_factory=list)
    deployments: dict[str, Deployment] = field(default_factory=dict)
    pods: list[Pod] = field(default_factory=list)
    dying: dict[str, float] = field(default_factory=dict)
    finished_pods: list[Pod] = field(default_factory=list)
    released_pods: list[Pod] = field(default_factory=list)
    service: Service | None = None
    autoscalers: dict[str, Autoscaler] = field(default_factory=dict)
    budgets: dict[str, DisruptionBudget] = field(default_factory=dict)
    events: list[p.Event] = field(default_factory=list)
    writes: int = 0
    #: The operator dies before its write of this number; what it had in mind is lost.
    die_at: int | None = None
    rejection: Rejection | None = None
    #: What finalizers of other controllers keep from being deleted.
    blocked_deletions: list[BlockedDeletion] = field(default_factory=list)
    #: So many pods may exist at once, as of a ResourceQuota.
    quota: int | None = None
    runtime: ResolvedRuntime = field(default_factory=ResolvedRuntime)
    serial: int = 0
    #: The digest of what is at the model's URI, and what revisions are pinned to.
    bytes: str = "sha256:one"
    pinned: dict[str, str] = field(default_factory=dict)
    #: What fetchers report of a signature (JSON).
    signature: str | None = None
    #: Pods start without the ConfigMap that contains the pinned digest.
    ignores_pins: bool = False
    #: The digest that images' tags resolve to now; None for kubelets that report none.
    image: str | None = None
    #: Commands: annotations of the parent without our group.
    annotations: dict[str, str] = field(default_factory=dict)
    reported_at: float = 0.0
    #: The cluster makes no endpoints of pods that get ready now.
    slices_stand_still: bool = False
    #: When the last decision wants to be made again, and the facts that it was made on.
    due: float | None = None
    decided_on: Any = None
    #: Facts from outside: smoke tests and evidence, and what the last decision asked for.
    smoke: SmokeReport | None = None
    evidence: Evidence | None = None
    requests: p.SignalRequests = field(default_factory=p.SignalRequests)
    #: Whether an admission policy verifies who may approve.
    approvals_enforced: bool = True
    #: What the registry answers for a reference: a URI, or reason and message; None: nothing yet.
    registry: str | tuple[str, str] | None = "mlflow://model/1"
    #: What it knows about the run of a model (JSON); None: no answer yet.
    lineage: str | None = None
    #: Whether it accepts tags, or reason and message if not; None: no answer yet. And the tags.
    tagging: tuple[str, str] | Literal[True] | None = True
    tags: dict[str, str] = field(default_factory=dict)
    #: What the systems of web gates answer, by gate: state, system, text and reason.
    verdicts: dict[str, tuple[AnswerState, str, str, str]] = field(default_factory=dict)
    #: Jobs of gates by name, with the Services that they ask; and what their pods show, by Job.
    gate_jobs: dict[str, GateJob] = field(default_factory=dict)
    gate_services: dict[str, GateService] = field(default_factory=dict)
    job_results: dict[str, tuple[JobOutcome, int | None, str, str | None]] = field(
        default_factory=dict
    )
    #: Actions that created a Job, in order.
    started_jobs: list[p.CreateGateJob] = field(default_factory=list)
    #: ModelGates by name, with their Job (JSON).
    model_gates: dict[str, str] = field(default_factory=dict)
    #: Templates of checks: by kind and name, their spec.
    check_templates: dict[tuple[str, str], dict[str, Any]] = field(default_factory=dict)
    #: Whether the last two answers of the registry agree, and the reason and message if they flap.
    confirmed: bool = True
    flapping: tuple[str | None, str] = (None, "")
    shares: list[tuple[float, dict[str, int]]] = field(default_factory=list)
    #: The route, the Services of revisions, and Gateways that take a route `lag` seconds later.
    route: Route | None = None
    backends: dict[str, Backend] = field(default_factory=dict)
    gateways: tuple[Gateway, ...] = (Gateway("ns", "public", listeners=(Listener("web", 80),)),)
    route_api_error: tuple[str, str] | None = None
    lag: float = 0.25
    #: What Gateways answer instead of taking it, and whether they answer nothing.
    gateway_rejection: tuple[str, str] | None = None
    gateways_silent: bool = False
    route_written_at: float = 0.0
    #: Another route that claims the same requests.
    conflict: RouteConflict | None = None
    #: What Gateways lead to, and when: weights by version.
    routed: list[tuple[float, dict[str, int]]] = field(default_factory=list)
    deleted: list[tuple[float, str]] = field(default_factory=list)

    def version(self, revision: str | None) -> str | None:
        """Returns the name of a version; without one, what its alias stood for."""
        return next((_name(r) for r in self.records if r.revision == revision), None)

    def revision(self, version: str) -> str:
        return next(r.revision for r in reversed(self.records) if r.version == version)

    def crash(self, version: str) -> Self:
        """Makes all pods of a version exit now."""
        revision = self.revision(version)
        self.broken.add(version)
        exited = Container("server", terminated="Error", exit_code=1)
        self.pods = [
            replace(x, ready=False, ready_changed=self.now, containers=(exited,))
            if x.revision == revision
            else x
            for x in self.pods
        ]
        return self

    def heal(self, version: str) -> Self:
        """Makes the pods of a version that still run healthy again."""
        self.broken.discard(version)
        self.pods = [
            replace(x, ready=True, ready_changed=self.now, containers=())
            if self.version(x.revision) == version and not x.terminating
            else x
            for x in self.pods
        ]
        return self

    def serving(self) -> dict[str, int]:
        """Returns the number of ready endpoints by version."""
        result: dict[str, int] = {}
        endpoints = self.service.endpoints if self.service else ()
        versions = {record.revision: _name(record) for record in self.records}
        for pod in self.pods:
            if pod.name in endpoints:
                word = versions.get(pod.revision) or "?"
                result[word] = result.get(word, 0) + 1
        return result

    def weights(self) -> dict[str, int]:
        """Returns the route's percentages by version."""
        weights = self.route.weights if self.route else ()
        return {self.version(name) or name: weight for name, weight in weights}

    def observed(self) -> Observed:
        return Observed(
            route=self.route,
            route_conflict=self.conflict,
            backends=tuple(self.backends.values()),
            gateways=self.gateways if "gateway" in (self.spec.get("traffic") or {}) else (),
            route_api_error=self.route_api_error,
            records=tuple(self.records),
            deployments=tuple(self.deployments.values()),
            pods=tuple(self.pods),
            finished_pods=tuple(self.finished_pods),
            released_pods=tuple(self.released_pods),
            service=self.service,
            autoscalers=tuple(self.autoscalers.values()),
            disruption_budgets=tuple(self.budgets.values()),
            pinned_artifacts=tuple(self.pinned.items()),
            rejections=(self.rejection,) if self.rejection else (),
            blocked_deletions=tuple(self.blocked_deletions),
            runtime=self.runtime,
            annotations=tuple(sorted(self.annotations.items())),
            approvals_enforced=self.approvals_enforced,
            smoke=self.smoke,
            evidence=self.evidence,
            resolution=self._resolution(),
            training_run=self._training_run(),
            tag=self._tag(),
            gate_answers=self._gate_answers(),
            gate_jobs=tuple(self.gate_jobs.values()),
            model_gates=tuple(self.model_gates.items()),
            check_templates=tuple(
                check_template(kind, name, spec)
                for (kind, name), spec in self.check_templates.items()
            ),
            gate_services=tuple(self.gate_services.values()),
            job_reports=tuple(filter(None, map(self._job_report, self.requests.jobs))),
        )

    def _resolution(self) -> Resolution | None:
        request = self.requests.resolve
        if request is None or self.registry is None:
            return None
        if isinstance(self.registry, str):
            reason, message = self.flapping
            return Resolution(request, self.registry, reason, message, self.confirmed)
        return Resolution(request, None, *self.registry)

    def _training_run(self) -> RunResult | None:
        request = self.requests.training_run
        return RunResult(request, self.lineage) if request and self.lineage else None

    def _tag(self) -> TagResult | None:
        request = self.requests.tag
        if request is None or self.tagging is None:
            return None
        if self.tagging is not True:
            return TagResult(request, *self.tagging)
        self.tags[request.uri] = request.state
        return TagResult(request)

    def _gate_answers(self) -> tuple[GateAnswer, ...]:
        return tuple(
            GateAnswer(request, *self.verdicts[request.gate])
            for request in self.requests.gates
            if request.gate in self.verdicts
        )

    def _job_report(self, request: JobRequest) -> JobReport | None:
        result = self.job_results.get(request.name)
        if result is None or request.name not in self.gate_jobs:
            return None
        outcome, code, text, results = result
        blocked = outcome is JobOutcome.UNFINISHED and bool(text)
        return JobReport(request, outcome, code, text, results, blocked)

    def _ready(self) -> list[tuple[str, str]]:
        return [(x.revision, x.name) for x in self.pods if x.serves]

    def _gateway(self) -> None:
        """Simulates the data plane and what it reports."""
        route = self.route
        if route is None:
            return
        if self.gateways_silent or self.now < self.route_written_at + self.lag:
            return
        answer = (self.gateway_rejection is None, self.gateway_rejection, ())
        if (route.accepted, route.rejection, route.pending_parents) != answer:
            accepted, rejection, pending_parents = answer
            self.route = replace(
                route, accepted=accepted, rejection=rejection, pending_parents=pending_parents
            )
        if self.gateway_rejection:
            return
        shares = dict(route.weights)
        if not self.routed or self.routed[-1][1] != shares:
            self.routed.append((self.now, shares))

    def _live(self) -> None:
        """Lets pods, ReplicaSets, endpoints and gateways do what is due."""
        self.pods = list(self._lasting())
        for deployment in list(self.deployments.values()):
            self._make_pods(deployment)
        self._endpoints()
        self._gateway()
        self.shares.append((self.now, self.serving()))

    def _next_change(self) -> float:
        """Returns when time alone changes something next."""
        instants = [self.route_written_at + self.lag, *self.dying.values()]
        for pod in self.pods:
            instants += (pod.created + self.boot / 2, pod.created + self.boot)
        return min((instant for instant in instants if instant > self.now), default=math.inf)

    def _lasting(self) -> Iterator[Pod]:
        """Yields the pods that are still there, as they are now."""
        counted: Counter[str] = Counter()
        fetched = {record.revision for record in self.records if record.uri}
        broken = {record.revision for record in self.records if _name(record) in self.broken}
        for pod in self.pods:
            if pod.terminating:
                if self.now < self.dying[pod.name]:
                    yield pod
                continue
            deployment = self.deployments.get(pod.revision)
            counted[pod.revision] += 1
            if deployment is None or counted[pod.revision] > deployment.replicas:
                self.dying[pod.name] = self.now + self.grace
                yield replace(pod, terminating=True, ready=False, terminates_by=self.now + 1.0)
            elif pod.containers:
                yield pod
            elif (
                pod.artifact is None
                and pod.revision in fetched
                and self.now >= pod.created + self.boot / 2
            ):
                yield self._fetched(pod)
            elif self.now < pod.created + self.boot:
                yield pod
            elif pod.revision in broken:
                exited = Container("server", terminated="Completed", exit_code=0)
                yield replace(pod, containers=(exited,))
            elif pod.ready:
                yield pod
            else:
                yield replace(pod, ready=True, ready_changed=self.now)

    def _make_pods(self, deployment: Deployment) -> None:
        """Makes the pods that are missing, as far as the quota permits, and reports the rest."""
        live = sum(x.revision == deployment.revision and not x.terminating for x in self.pods)
        missing = deployment.replicas - live
        room = math.inf if self.quota is None else self.quota - len(self.pods)
        why = f"exceeded quota: q, limited: pods={self.quota}"
        failure = why if room <= 0 and missing > 0 else None
        if failure != deployment.failure:
            self.deployments[deployment.revision] = replace(deployment, failure=failure)
        for _ in range(int(min(missing, max(room, 0)))):
            self.serial += 1
            self.pods.append(
                Pod(
                    f"p{self.serial}",
                    deployment.revision,
                    deployment.color,
                    self.now,
                    images=(("server", f"registry/m@{self.image}"),) if self.image else (),
                )
            )

    def _fetched(self, pod: Pod) -> Pod:
        """Ends the fetcher: with the digest of the content, or with a failure if that changed."""
        pin = None if self.ignores_pins else self.pinned.get(pod.revision)
        if pin in (None, self.bytes):
            return replace(pod, artifact=self.bytes, signature=self.signature)
        message = json.dumps({"reason": "ArtifactChanged", "message": "other bytes are there now"})
        fetch = Container("fetch", init=True, terminated="Error", exit_code=10, message=message)
        return replace(pod, containers=(fetch,))

    def _endpoints(self) -> None:
        if self.slices_stand_still:
            return
        if self.service:
            color = self.service.color
            names = frozenset(
                x.name
                for x in self.pods
                if x.serves and color is not None and color in ("", x.color)
            )
            if names != self.service.endpoints:
                self.service = replace(self.service, endpoints=names)
        for revision, address in self.gate_services.items():
            own = frozenset(x.name for x in self.pods if x.serves and x.revision == revision)
            if own != address.endpoints:
                self.gate_services[revision] = replace(address, endpoints=own)
        for revision, backend in self.backends.items():
            own = frozenset(x.name for x in self.pods if x.serves and x.revision == revision)
            if own != backend.endpoints:
                self.backends[revision] = replace(backend, endpoints=own)


def _name(record: Record) -> str | None:
    return record.version or record.resolved
