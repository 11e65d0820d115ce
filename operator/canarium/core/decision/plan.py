"""What a decision says: the writes to make in order, the status to show, when to look again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from canarium.api.status import Status
from canarium.core.facts.revision import NewRecord
from canarium.core.facts.traffic_record import TrafficRecord


@dataclass(frozen=True, slots=True)
class StoreRevision:
    """Store a new ControllerRevision; its pod template is rendered at this moment, once."""

    record: NewRecord
    #: When revisions before it had traffic (`core.facts.periods`).
    served: str | None = None


@dataclass(frozen=True, slots=True)
class RestoreRevision:
    """Store the record of a revision that runs again, from its Deployment's pod template.

    `model` is what is known of its spec.model; None: it is the one of the spec.
    """

    record: NewRecord
    model: tuple[tuple[str, Any], ...] | None
    artifact: str | None


@dataclass(frozen=True, slots=True)
class AnnotateRevision:
    """Note later facts on a revision's record (keys without the group)."""

    revision: str
    facts: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class PinArtifact:
    """Tell later pods of a revision the digest that the first one fetched."""

    revision: str
    digest: str


@dataclass(frozen=True, slots=True)
class CreateDeployment:
    revision: str
    color: str
    replicas: int


@dataclass(frozen=True, slots=True)
class RestoreLabels:
    """Give the Deployment of a revision its labels back, without which it is not seen, if there
    is one."""

    revision: str


@dataclass(frozen=True, slots=True)
class Scale:
    revision: str
    replicas: int


@dataclass(frozen=True, slots=True)
class DeleteDeployment:
    revision: str
    uid: str


@dataclass(frozen=True, slots=True)
class SelectColor:
    """Make the callers' Service select `color` ("" = both, None = nothing), and say for whom."""

    color: str | None
    traffic: TrafficRecord
    #: Whether a failed version loses its traffic by this write (R8).
    rolls_back: bool = False


@dataclass(frozen=True, slots=True)
class SetRouteWeights:
    """Make the route of `kind` give each revision its weight, and say for whom, in one write."""

    kind: str
    #: Revision → percent; all are backends, those of weight 0 too.
    weights: tuple[tuple[str, int], ...]
    traffic: TrafficRecord
    #: Whether the candidate is reached by its header, or gets copies of requests.
    direct: bool = False
    rolls_back: bool = False


@dataclass(frozen=True, slots=True)
class DeleteRoute:
    kind: str
    uid: str


@dataclass(frozen=True, slots=True)
class CreateBackend:
    """Make the Service of one revision, for a route to lead to."""

    revision: str


@dataclass(frozen=True, slots=True)
class DeleteBackend:
    revision: str
    uid: str


@dataclass(frozen=True, slots=True)
class SetAutoscaler:
    revision: str
    low: int
    high: int


@dataclass(frozen=True, slots=True)
class DeleteAutoscaler:
    revision: str
    uid: str


@dataclass(frozen=True, slots=True)
class DeleteRevision:
    revision: str


@dataclass(frozen=True, slots=True)
class Adopt:
    """Make this model the controller of an object that has none."""

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
    | DeleteRevision
    | Adopt
)


@dataclass(frozen=True, slots=True)
class AnalysisRequest:
    """Judge `revision` beside `stable` on what happened from `since` on (POSIX seconds)."""

    revision: str
    stable: str | None
    since: float


@dataclass(frozen=True, slots=True)
class SignalRequests:
    """Facts that a decision waits for and that nobody has yet: level-triggered, so what is not
    asked any more stops. `smoke` is the revision whose ready pods are to be tested."""

    smoke: str | None = None
    analysis: AnalysisRequest | None = None
    #: Pods whose Events are to be read: they have a node, and no container of theirs starts.
    pod_events: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Plan:
    """A decision. `requeue_after` is in seconds; None: only a change of facts matters."""

    phase: str
    status: Status
    actions: tuple[Action, ...] = ()
    events: tuple[Event, ...] = ()
    requeue_after: float | None = None
    #: False: only counts of pods differ from the status before, which can be told a little later.
    status_is_urgent: bool = True
    requests: SignalRequests = SignalRequests()
    #: The route is left as it is, even where it differs from the spec: that could not be had.
    freeze_route: bool = False
    #: Callers depend on a write that was refused: it is tried again within two seconds of being
    #: allowed, not with the patience of other refusals.
    retry_is_urgent: bool = False
