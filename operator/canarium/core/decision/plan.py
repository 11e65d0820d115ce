"""A decision as data: the writes to perform in order, the status, and when to decide again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from canarium.api.route_kind import RouteKind
from canarium.api.states import Phase
from canarium.api.status import Status
from canarium.core.facts.gate_answers import GateRequest
from canarium.core.facts.gate_jobs import JobRequest
from canarium.core.facts.resolution import Follow, ResolveRequest
from canarium.core.facts.revision import NewRecord
from canarium.core.facts.traffic_record import TrafficRecord
from canarium.core.facts.training_run import RunRequest
from canarium.core.facts.write_back import TagRequest


@dataclass(frozen=True, slots=True)
class StoreRevision:
    """Store a new ControllerRevision; its pod template is rendered once, by this write."""

    record: NewRecord
    #: Periods in which earlier revisions had traffic (JSON, see `core.facts.periods`).
    served: str | None = None
    #: Settings of the rollout (JSON, see `core.facts.rollout_settings`); None for a first version.
    settings: str | None = None


@dataclass(frozen=True, slots=True)
class RestoreRevision:
    """Restore the record of a running revision from the pod template of its Deployment.

    `model` are the known fields of its spec.model; None if it is that of the current spec.
    """

    record: NewRecord
    model: tuple[tuple[str, Any], ...] | None
    artifact: str | None


@dataclass(frozen=True, slots=True)
class AnnotateRevision:
    """Add later facts to a revision's record as annotations (keys without the group)."""

    revision: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class RenumberRevision:
    """Make a stored record the newest one: its moving reference stands for that result again (R26).

    Controllers of Kubernetes do the same to a ControllerRevision to which they return.
    """

    revision: str
    number: int


@dataclass(frozen=True, slots=True)
class PinArtifact:
    """Pin the digest that the first pod of a revision downloaded for its later pods."""

    revision: str
    digest: str


@dataclass(frozen=True, slots=True)
class CreateDeployment:
    """Create the Deployment of a revision from its record."""

    revision: str
    color: str
    replicas: int


@dataclass(frozen=True, slots=True)
class RestoreLabels:
    """Restore the labels of a revision's object of `kind`, if it exists: the operator observes
    objects by their labels."""

    revision: str
    kind: Literal["Deployment", "HorizontalPodAutoscaler"] = "Deployment"


@dataclass(frozen=True, slots=True)
class Scale:
    """Set the replicas of a revision's Deployment."""

    revision: str
    replicas: int


@dataclass(frozen=True, slots=True)
class DeleteDeployment:
    """Delete the Deployment of a revision, if it still has this UID."""

    revision: str
    uid: str


@dataclass(frozen=True, slots=True)
class SelectColor:
    """Make the callers' Service select `color` ("" = both, None = no pods), with its traffic
    record, in one write."""

    color: str | None
    traffic: TrafficRecord
    #: Whether a failed version loses its traffic with this write (R8).
    rolls_back: bool = False


@dataclass(frozen=True, slots=True)
class SetRouteWeights:
    """Set the weights of the route of `kind` and its traffic record, in one write."""

    kind: RouteKind
    #: Revision → percent; all are backends, including those with weight 0.
    weights: tuple[tuple[str, int], ...]
    traffic: TrafficRecord
    #: Whether the candidate also receives requests by a header, or mirrored ones.
    direct: bool = False
    rolls_back: bool = False


@dataclass(frozen=True, slots=True)
class DeleteRoute:
    """Delete the model's route of `kind`."""

    kind: RouteKind
    uid: str


@dataclass(frozen=True, slots=True)
class CreateBackend:
    """Create the Service of a single revision, the backend of a route."""

    revision: str


@dataclass(frozen=True, slots=True)
class DeleteBackend:
    """Delete the Service of a single revision."""

    revision: str
    uid: str


@dataclass(frozen=True, slots=True)
class SetAutoscaler:
    """Create or update the HorizontalPodAutoscaler of a revision."""

    revision: str
    min_replicas: int
    max_replicas: int


@dataclass(frozen=True, slots=True)
class DeleteAutoscaler:
    """Delete the HorizontalPodAutoscaler of a revision."""

    revision: str
    uid: str


@dataclass(frozen=True, slots=True)
class CreateDisruptionBudget:
    """Create the PodDisruptionBudget of a revision with a Deployment."""

    revision: str


@dataclass(frozen=True, slots=True)
class DeleteDisruptionBudget:
    """Delete the PodDisruptionBudget of a revision."""

    revision: str
    uid: str


@dataclass(frozen=True, slots=True)
class CreateGateService:
    """Create the Service of a single revision, which the Job of a gate asks."""

    revision: str


@dataclass(frozen=True, slots=True)
class DeleteGateService:
    """Delete the Service of a single revision that Jobs of gates asked."""

    revision: str
    uid: str


@dataclass(frozen=True, slots=True)
class CreateGateJob:
    """Create the Job of a gate.

    `job` is from the record (JSON), `facts` are variables of its environment, `other` is the
    revision to compare with, and `deadline` is in seconds; None: without limit.
    """

    name: str
    revision: str
    gate: str
    job: str
    facts: tuple[tuple[str, str], ...] = ()
    other: str | None = None
    deadline: float | None = None
    #: Mark that the operator recognises the Job by (see `core.facts.gate_jobs`).
    nonce: str | None = None


@dataclass(frozen=True, slots=True)
class DeleteGateJob:
    """Delete the Job of a gate, with its pods."""

    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class DeleteRevision:
    """Delete the record of a revision."""

    revision: str


@dataclass(frozen=True, slots=True)
class Adopt:
    """Make this model the controller of an object without one."""

    kind: str
    name: str
    uid: str


@dataclass(frozen=True, slots=True)
class Event:
    """A Kubernetes Event on the parent; `kind` is Normal or Warning."""

    kind: str
    reason: str
    message: str


Action = (
    StoreRevision
    | RestoreRevision
    | AnnotateRevision
    | RenumberRevision
    | PinArtifact
    | CreateDeployment
    | RestoreLabels
    | Scale
    | DeleteDeployment
    | SelectColor
    | SetRouteWeights
    | DeleteRoute
    | CreateBackend
    | DeleteBackend
    | SetAutoscaler
    | DeleteAutoscaler
    | CreateDisruptionBudget
    | DeleteDisruptionBudget
    | CreateGateService
    | DeleteGateService
    | CreateGateJob
    | DeleteGateJob
    | DeleteRevision
    | Adopt
)


@dataclass(frozen=True, slots=True)
class AnalysisRequest:
    """Analyse `revision` beside `stable` on measurements from `since` on (POSIX seconds)."""

    revision: str
    stable: str | None
    since: float


@dataclass(frozen=True, slots=True)
class SignalRequests:
    """Signals that a decision needs. Level-triggered: one that is no longer requested stops.

    `smoke` is the revision whose ready pods are to be tested.
    """

    smoke: str | None = None
    analysis: AnalysisRequest | None = None
    #: Pods whose Events to read: they are bound to a node, but no container has started.
    pod_events: tuple[str, ...] = ()
    #: Moving reference to resolve (R26): for a new record, or again and again with `follow`.
    resolve: ResolveRequest | None = None
    follow: Follow | None = None
    #: Revision whose lineage to read.
    training_run: RunRequest | None = None
    #: Tag to write to the registry.
    tag: TagRequest | None = None
    #: What to ask systems of users at web gates.
    gates: tuple[GateRequest, ...] = ()
    #: Jobs of gates whose pods to read.
    jobs: tuple[JobRequest, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """A decision. `requeue_after` is in seconds; None: only a change of facts matters."""

    phase: Phase
    status: Status
    actions: tuple[Action, ...] = ()
    events: tuple[Event, ...] = ()
    requeue_after: float | None = None
    #: False if only counts of pods differ from the last status: such a write may be delayed.
    status_is_urgent: bool = True
    requests: SignalRequests = SignalRequests()
    #: Whether the route is left unchanged although it differs from a spec that cannot be applied.
    freeze_route: bool = False
    #: Whether callers depend on a rejected write: it succeeds at most two seconds after it would
    #: be accepted, without the longer backoff of other rejections.
    retry_is_urgent: bool = False
