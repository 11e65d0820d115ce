"""Frozen facts about the children of one ModelDeployment, collected once for each decision.

All times are POSIX seconds. Nothing here calls the API: `engine.cache` builds these values.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from canarium.api.reasons import CheckReason, RejectionReason
from canarium.core.evidence.verdict import Evidence
from canarium.core.facts.check_templates import CheckTemplate
from canarium.core.facts.gate_answers import GateAnswer
from canarium.core.facts.gate_jobs import GATE_SERVICE, GateJob, GateService, JobReport
from canarium.core.facts.gateways import Backend, Gateway, Route, RouteConflict
from canarium.core.facts.object_ref import ObjectRef
from canarium.core.facts.pods import Pod, Trouble
from canarium.core.facts.resolution import Resolution
from canarium.core.facts.revision import Record
from canarium.core.facts.traffic_record import NO_RECORD, TrafficRecord
from canarium.core.facts.training_run import RunResult
from canarium.core.facts.write_back import TagResult

BLUE, GREEN = "blue", "green"
#: Kind of the object that limits evictions.
BUDGET = "PodDisruptionBudget"
#: Kind of what a gate may run.
JOB = "Job"
COLORS = (BLUE, GREEN)
#: Number of characters that are kept of a text of the API server.
QUOTED = 1024


@dataclass(frozen=True, slots=True)
class Deployment:
    """A revision's Deployment; `replicas` is `spec.replicas`."""

    name: str
    uid: str
    revision: str
    color: str
    replicas: int
    terminating: bool = False
    #: Why its ReplicaSet cannot create pods: the message of the component that rejects them.
    failure: str | None = None
    #: Names of the ports of its containers.
    ports: frozenset[str] = frozenset()
    #: Another client set `replicas` last through the scale subresource, as an autoscaler does.
    scaled_by_other: bool = False
    #: What the moving reference of its revision stood for (R26).
    resolved: str | None = None
    #: Labels of its pods that are not those of the operator.
    extra_labels: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Service:
    """The Service that callers use.

    `color` is the colour that it selects, "" for both, or None when it selects no pods.
    `endpoints` are the names of the pods that its EndpointSlices list as ready.
    """

    uid: str
    color: str | None
    traffic: TrafficRecord = NO_RECORD
    endpoints: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class AutoscalerFault:
    """A condition of a HorizontalPodAutoscaler that reports that it cannot scale."""

    reason: str
    message: str
    since: float


@dataclass(frozen=True, slots=True)
class Autoscaler:
    """A revision's HorizontalPodAutoscaler."""

    name: str
    uid: str
    revision: str
    min_replicas: int
    max_replicas: int
    #: Why it cannot scale, from its conditions.
    fault: AutoscalerFault | None = None
    #: Whether Kubernetes has disabled it because another client scaled the Deployment to zero. It
    #: does not scale up then.
    disabled: bool = False


@dataclass(frozen=True, slots=True)
class DisruptionBudget:
    """A revision's PodDisruptionBudget.

    `has_minimum`: another client replaced its `maxUnavailable`. The two exclude each other, so the
    operator's cannot be applied over it.
    """

    name: str
    uid: str
    revision: str
    has_minimum: bool = False


@dataclass(frozen=True, slots=True)
class SmokeReport:
    """Result of the smoke tests of a revision (R4) in `tested` pods.

    `message` and `pod` describe a failed one.
    `unusable`: the tests could not be evaluated for `reason`, so they prove nothing about the
    revision (R21).
    `unreachable`: how the connection to `pod` was lost (`ConnectionLoss`). That proves nothing
    either, and the tests are repeated until the pod responds.
    """

    revision: str
    passed: bool
    message: str = ""
    pod: str | None = None
    tested: int = 0
    unusable: bool = False
    unreachable: str | None = None
    reason: CheckReason = CheckReason.INVALID_TEST


@dataclass(frozen=True, slots=True)
class Rejection:
    """A write of the operator that the API server rejected and that has not succeeded since.

    `reason` is one of an enumeration; `message` is the server's text and is only displayed.
    """

    object: ObjectRef
    message: str
    conflict: bool = False
    reason: str = RejectionReason.INVALID

    def quoted(self, limit: int = QUOTED) -> str:
        """Returns the object and up to `limit` characters of the server's text, for messages."""
        return f"{self.object}: {self.message[:limit]}"


@dataclass(frozen=True, slots=True)
class Orphan:
    """An object without an owner that the model may adopt (R20)."""

    object: ObjectRef
    uid: str


@dataclass(frozen=True, order=True, slots=True)
class NameConflict:
    """An object that has a name of ours and another owner; `owner` is its controller, if any."""

    object: ObjectRef
    owner: str | None = None

    def __str__(self) -> str:
        return f"{self.object} ({f'controlled by {self.owner}' if self.owner else 'no owner'})"


@dataclass(frozen=True, slots=True)
class BlockedDeletion:
    """An object of the model whose deletion is blocked by finalizers of other controllers.

    `due` is its deletionTimestamp: for a pod the end of its grace period, else when it was deleted.
    """

    object: ObjectRef
    finalizers: tuple[str, ...]
    due: float


@dataclass(frozen=True, slots=True)
class Modified:
    """An object that an admission policy changed while it admitted a write, and the paths."""

    object: ObjectRef
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ResolvedRuntime:
    """The runtime that the spec selects, or why there is none (`reason` and `message`).

    It has no name where the spec has an image instead. `startup_budget` is in seconds.
    """

    name: str | None = None
    kind: str | None = None
    digest: str | None = None
    startup_budget: float | None = None
    reason: str | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Observed:
    """Everything that is known about a model's children at one moment."""

    records: tuple[Record, ...] = ()
    deployments: tuple[Deployment, ...] = ()
    #: Pods that run or may still run. Finished pods are kept apart: they can exist for a long
    #: time and do not count as capacity.
    pods: tuple[Pod, ...] = ()
    finished_pods: tuple[Pod, ...] = ()
    #: Pods that run but are no longer controlled by a ReplicaSet. A Service may still select them.
    released_pods: tuple[Pod, ...] = ()
    service: Service | None = None
    autoscalers: tuple[Autoscaler, ...] = ()
    #: None if PodDisruptionBudgets cannot be listed.
    disruption_budgets: tuple[DisruptionBudget, ...] | None = None
    #: Revisions whose pods a PodDisruptionBudget of another owner selects.
    with_other_budget: frozenset[str] = frozenset()
    #: Revision → digest that its later pods have to find (the revision's pin).
    pinned_artifacts: tuple[tuple[str, str], ...] = ()
    #: One for each object, the most important first.
    rejections: tuple[Rejection, ...] = ()
    modified: tuple[Modified, ...] = ()
    #: What is wrong with a text in spec.notifications, with the path of its field.
    notification_fault: str | None = None
    orphans: tuple[Orphan, ...] = ()
    #: Objects that a deleted model of the same name still controls.
    owned_by_deleted: tuple[ObjectRef, ...] = ()
    #: Objects whose deletion is blocked by finalizers, with or without an owner.
    blocked_deletions: tuple[BlockedDeletion, ...] = ()
    #: Objects with labels or names of this model's children that it does not control, each with
    #: its owner (R24).
    name_conflicts: tuple[NameConflict, ...] = ()
    runtime: ResolvedRuntime = field(default_factory=lambda: ResolvedRuntime())
    #: Latest result for the model's moving reference; None until the registry has answered.
    resolution: Resolution | None = None
    #: Lineage of the target's model, once it has been read.
    training_run: RunResult | None = None
    #: Result of the last tag that was requested; None until the registry has answered.
    tag: TagResult | None = None
    #: Annotations of the ModelDeployment in the operator's group, without the prefix: commands
    #: (R16).
    annotations: tuple[tuple[str, str], ...] = ()
    #: Whether the admission policy of the chart admits a decision about a gate only by users whom
    #: RBAC permits it. Otherwise no such decision counts (R27).
    approvals_enforced: bool = False
    #: Latest answers of systems that web gates ask.
    gate_answers: tuple[GateAnswer, ...] = ()
    #: Jobs of gates, the Services of revisions for them, and what their pods report.
    gate_jobs: tuple[GateJob, ...] = ()
    gate_services: tuple[GateService, ...] = ()
    job_reports: tuple[JobReport, ...] = ()
    #: ModelGates that the spec names and that exist, with their Job (JSON; "": it is too long).
    model_gates: tuple[tuple[str, str], ...] = ()
    #: Templates of checks that the spec names and that exist.
    check_templates: tuple[CheckTemplate, ...] = ()
    #: Result of the target's smoke tests; None until they have finished.
    smoke: SmokeReport | None = None
    #: Latest analysis result for the revision under analysis.
    evidence: Evidence | None = None
    #: The model's route, of any kind, and the Services of single revisions.
    route: Route | None = None
    backends: tuple[Backend, ...] = ()
    #: Gateways that the spec names, in its order, including those that do not exist.
    gateways: tuple[Gateway, ...] = ()
    #: Why routes of the configured kind are not available in this cluster: reason and text.
    route_api_error: tuple[str, str] | None = None
    #: Another route that claims the same requests as `route`.
    route_conflict: RouteConflict | None = None

    def with_troubles(self, troubles: Mapping[str, Trouble]) -> Observed:
        """Returns these facts with `troubles` (by pod) added to pods that are being created."""
        if not troubles:
            return self
        pods = tuple(
            replace(pod, trouble=troubles.get(pod.name)) if pod.creating else pod
            for pod in self.pods
        )
        return replace(self, pods=pods)

    @property
    def rejection(self) -> Rejection | None:
        """The most important rejected write."""
        return next(iter(self.rejections), None)

    @property
    def blocking_rejection(self) -> Rejection | None:
        """The most important rejected write without which no version can run. A
        PodDisruptionBudget is not one, nor what the Job of a gate needs."""
        gates = tuple(f"-{record.revision}{GATE_SERVICE}" for record in self.records)
        return next(
            (
                r
                for r in self.rejections
                if r.object.kind not in (BUDGET, JOB) and not r.object.name.endswith(gates)
            ),
            None,
        )

    def rejected(self, *objects: ObjectRef) -> Rejection | None:
        """Returns the rejected write of one of `objects`."""
        return next((r for r in self.rejections if r.object in objects), None)

    def blocking_finalizers(self, ref: ObjectRef) -> tuple[str, ...]:
        """Returns the finalizers that block the deletion of an object."""
        finalizers = (one.finalizers for one in self.blocked_deletions if one.object == ref)
        return next(finalizers, ())

    def record(self, revision: str | None) -> Record | None:
        """Returns the stored record of `revision`."""
        for one in self.records:
            if one.revision == revision:
                return one
        return None

    def deployment(self, revision: str | None) -> Deployment | None:
        """Returns the Deployment of `revision`."""
        for one in self.deployments:
            if one.revision == revision:
                return one
        return None

    def autoscaler(self, revision: str | None) -> Autoscaler | None:
        """Returns the HorizontalPodAutoscaler of `revision`."""
        return next((a for a in self.autoscalers if a.revision == revision), None)

    def disruption_budget(self, revision: str) -> DisruptionBudget | None:
        """Returns the PodDisruptionBudget of `revision`."""
        return next((b for b in self.disruption_budgets or () if b.revision == revision), None)

    @property
    def running_pods(self) -> tuple[Pod, ...]:
        """All pods that have not finished, controlled or released."""
        return (*self.pods, *self.released_pods)

    def pods_of(self, revision: str | None) -> tuple[Pod, ...]:
        """Returns the pods of `revision` that have not finished."""
        return tuple(p for p in self.pods if p.revision == revision)

    def replicas(self, revision: str | None) -> int:
        """Returns `spec.replicas` of the Deployment of `revision`; 0 without one."""
        deployment = self.deployment(revision)
        return deployment.replicas if deployment else 0

    def ready(self, revision: str | None) -> int:
        """Returns the number of ready pods of `revision` that can be selected for traffic."""
        return len(self.ready_pods(revision))

    def ready_pods(self, revision: str | None) -> tuple[Pod, ...]:
        """Returns the ready pods of `revision` that can be selected for traffic."""
        pods = tuple([p for p in self.pods if p.revision == revision and p.serves])
        deployment = self.deployment(revision) if pods else None
        if deployment is None:
            return pods
        # A pod that lost its colour is not replaced, since no Deployment selects by colour.
        backend = self.backend(revision)
        names = backend.endpoints if backend else frozenset[str]()
        return tuple([p for p in pods if p.color == deployment.color or p.name in names])

    def gate_service(self, revision: str) -> GateService | None:
        """Returns the Service of `revision` for Jobs of gates."""
        return next((s for s in self.gate_services if s.revision == revision), None)

    def gate_job(self, name: str) -> GateJob | None:
        """Returns the Job of this name."""
        return next((job for job in self.gate_jobs if job.name == name), None)

    def backend(self, revision: str | None) -> Backend | None:
        """Returns the Service that selects only `revision`."""
        for one in self.backends:
            if one.revision == revision:
                return one
        return None

    def backend_is_ready(self, revision: str | None) -> bool:
        """Returns whether the backend of `revision` has a ready pod of it among its endpoints."""
        backend = self.backend(revision)
        names = {p.name for p in self.running_pods if p.revision == revision and p.serves}
        return bool(backend and backend.endpoints & names)

    def exists(self, revision: str | None) -> bool:
        """Returns whether `revision` has a record or a Deployment."""
        return self.record(revision) is not None or self.deployment(revision) is not None

    def has_endpoints(self, revision: str | None) -> bool:
        """Returns whether the callers' Service has a pod of `revision` among its endpoints."""
        names = {p.name for p in self.running_pods if p.revision == revision}
        return bool(self.service and names & self.service.endpoints)
