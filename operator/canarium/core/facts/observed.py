"""What is: frozen facts about one ModelDeployment's children, gathered once for one decision.

All times are POSIX seconds. Nothing here asks the API; the engine's projections fill it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum

from canarium.api.reasons import CheckReason, RefusalReason
from canarium.api.server import SERVER_CONTAINER
from canarium.core.evidence.verdict import Evidence
from canarium.core.facts.gateways import Backend, Gateway, Route, RouteConflict
from canarium.core.facts.revision import Record
from canarium.core.facts.traffic_record import NO_RECORD, TrafficRecord

BLUE, GREEN = "blue", "green"
COLORS = (BLUE, GREEN)
#: What containers wait for before any of the pod was started: no trouble by itself.
BEGINNING = ("ContainerCreating", "PodInitializing")


class TroubleReason(StrEnum):
    """Reasons of a pod's Events that tell why its containers are not created."""

    FAILED_ATTACH_VOLUME = "FailedAttachVolume"
    FAILED_MAP_VOLUME = "FailedMapVolume"
    FAILED_MOUNT = "FailedMount"
    FAILED_CREATE_POD_SANDBOX = "FailedCreatePodSandBox"
    FAILED_PREPARE_DYNAMIC_RESOURCES = "FailedPrepareDynamicResources"
    NETWORK_NOT_READY = "NetworkNotReady"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why the kubelet creates no container of a pod, from the pod's Events.

    `missing`: a Secret or ConfigMap that a volume of the revision needs does not exist.
    """

    reason: TroubleReason
    message: str
    missing: bool = False


@dataclass(frozen=True, slots=True)
class Container:
    """One container's state; `last_*` is how its previous run ended."""

    name: str
    init: bool = False
    waiting: str | None = None
    waiting_message: str = ""
    terminated: str | None = None
    exit_code: int | None = None
    last_terminated: str | None = None
    last_exit_code: int | None = None
    message: str = ""
    restarts: int = 0
    #: When it began to run, if it runs.
    started: float | None = None
    #: Whether its own readiness probe passes.
    ready: bool = False

    @property
    def is_server(self) -> bool:
        """Whether it is the model server, by the name that every rendered template gives it."""
        return not self.init and self.name == SERVER_CONTAINER


@dataclass(frozen=True, slots=True)
class Pod:
    """One pod of ours."""

    name: str
    revision: str
    color: str
    created: float
    ready: bool = False
    ready_changed: float | None = None
    terminating: bool = False
    #: When it is to have ended at the latest, if it is terminating.
    ends: float | None = None
    #: Why nothing of it runs any more, though it is there still, as one that was evicted.
    ended: str | None = None
    unschedulable_since: float | None = None
    unschedulable_message: str = ""
    #: Whether a scheduling gate, as of a queue, keeps the scheduler from looking for a node.
    gated: bool = False
    disrupted: bool = False
    #: Since when it waits for nothing but its containers: it has a node, and whatever init
    #: containers are over so far; the time when it was made at first.
    begun: float | None = None
    #: Its IP address, once it has one.
    address: str | None = None
    #: The digest of the model that its fetcher found.
    artifact: str | None = None
    #: What a branch or a tag of its URI stood for then.
    resolved: str | None = None
    #: Container → image as the kubelet resolved it.
    images: tuple[tuple[str, str], ...] = ()
    containers: tuple[Container, ...] = ()
    #: Whether a node was found for it.
    scheduled: bool = False
    #: What its Events say while it waits for its containers to be created.
    trouble: Trouble | None = None

    @property
    def serves(self) -> bool:
        return self.ready and not self.terminating

    @property
    def creating(self) -> bool:
        """Whether it has a node, and no container of it was ever started."""
        waits = all(c.waiting in BEGINNING for c in self.containers)
        return self.scheduled and not self.terminating and not self.ready and waits


@dataclass(frozen=True, slots=True)
class Deployment:
    """A revision's Deployment. `replicas` is what its spec wants."""

    name: str
    uid: str
    revision: str
    color: str
    replicas: int
    terminating: bool = False
    #: Why its ReplicaSet cannot create pods, in the words of whoever refuses them.
    failure: str | None = None
    #: Names of its containers' ports.
    ports: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Service:
    """The Service that callers use.

    `color` is the one selected: a colour, "" for both, or None when it selects nothing.
    `endpoints` are the names of the pods that its EndpointSlices list as ready.
    """

    uid: str
    color: str | None
    traffic: TrafficRecord = NO_RECORD
    endpoints: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class AutoscalerFault:
    """A condition of a HorizontalPodAutoscaler that says that it cannot scale."""

    reason: str
    message: str
    since: float


@dataclass(frozen=True, slots=True)
class Autoscaler:
    """A revision's HorizontalPodAutoscaler."""

    name: str
    uid: str
    revision: str
    low: int
    high: int
    #: Why it cannot work, by its own conditions.
    fault: AutoscalerFault | None = None


@dataclass(frozen=True, slots=True)
class SmokeReport:
    """How the smoke tests of a revision ended (R4); `message` and `pod` when one failed.

    `unusable`: the tests could not be evaluated, so nothing is known about the revision (R21);
    `reason` says why.
    `unreachable`: how the connection to `pod` was lost (`ConnectionLoss`), so nothing is known
    either; the tests are tried again until the pod answers.
    """

    revision: str
    passed: bool
    message: str = ""
    pod: str | None = None
    asked: int = 0
    unusable: bool = False
    unreachable: str | None = None
    reason: CheckReason = CheckReason.INVALID_TEST


@dataclass(frozen=True, slots=True)
class Rejection:
    """The API server's refusal of one object that we wrote, while it still stands.

    `what` is kind and name of the object; `reason` is enumerated, `message` has the other side's
    own words and is only displayed.
    """

    what: str
    message: str
    conflict: bool = False
    reason: str = RefusalReason.INVALID


@dataclass(frozen=True, slots=True)
class Orphan:
    """An object without an owner that the model may adopt (R20)."""

    kind: str
    name: str
    uid: str

    @property
    def what(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class HeldDeletion:
    """An object of the model that is being deleted and that finalizers of other controllers keep.

    `due` is its deletionTimestamp: when a pod should have ended, or when anything else was deleted.
    """

    kind: str
    name: str
    finalizers: tuple[str, ...]
    due: float

    @property
    def what(self) -> str:
        return f"{self.kind} {self.name}"


@dataclass(frozen=True, slots=True)
class Modified:
    """An object of ours that an admission policy changed when it took our write, and where."""

    what: str
    paths: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ResolvedRuntime:
    """The runtime that the spec means now, or why there is none (`reason` and `message`).

    Without a name: an image of one's own. `startup_budget` is in seconds.
    """

    name: str | None = None
    kind: str | None = None
    digest: str | None = None
    startup_budget: float | None = None
    reason: str | None = None
    message: str = ""


@dataclass(frozen=True, slots=True)
class Observed:
    """All facts of one moment."""

    records: tuple[Record, ...] = ()
    deployments: tuple[Deployment, ...] = ()
    #: Pods of ours that run, or may: those that ended count for nothing, and stay for long.
    pods: tuple[Pod, ...] = ()
    finished_pods: tuple[Pod, ...] = ()
    service: Service | None = None
    autoscalers: tuple[Autoscaler, ...] = ()
    #: Revision → the digest by which its later pods are told which bytes are theirs.
    pinned_artifacts: tuple[tuple[str, str], ...] = ()
    #: By object, those that matter most first.
    rejections: tuple[Rejection, ...] = ()
    modified: tuple[Modified, ...] = ()
    orphans: tuple[Orphan, ...] = ()
    #: Objects that a deleted model of this name still controls.
    owned_by_deleted: tuple[str, ...] = ()
    #: Objects that finalizers keep from being deleted, whoever controls them.
    held: tuple[HeldDeletion, ...] = ()
    #: Objects with the labels or names of ours that are not ours, each with its owner (R24).
    name_conflicts: tuple[str, ...] = ()
    runtime: ResolvedRuntime = field(default_factory=lambda: ResolvedRuntime())
    #: Annotations of the parent in our group, without it: commands (R16).
    annotations: tuple[tuple[str, str], ...] = ()
    #: How the wanted revision's smoke tests ended; None while they run or before.
    smoke: SmokeReport | None = None
    #: The last look at the revision that is judged now.
    evidence: Evidence | None = None
    #: The route through a gateway, of whatever kind, and the Services that it leads to.
    route: Route | None = None
    backends: tuple[Backend, ...] = ()
    #: The Gateways that the spec names, in its order, whether they exist or not.
    gateways: tuple[Gateway, ...] = ()
    #: Why routes of the wanted kind cannot be had in this cluster: reason and text.
    route_api_error: tuple[str, str] | None = None
    #: Another route that claims the same requests as `route`.
    conflict: RouteConflict | None = None

    def with_troubles(self, troubles: Mapping[str, Trouble]) -> Observed:
        """These facts with what Events tell of pods whose containers are still not created."""
        if not troubles:
            return self
        pods = tuple(
            replace(pod, trouble=troubles.get(pod.name)) if pod.creating else pod
            for pod in self.pods
        )
        return replace(self, pods=pods)

    @property
    def rejection(self) -> Rejection | None:
        """The refusal that matters most."""
        return next(iter(self.rejections), None)

    def refused(self, *objects: str) -> Rejection | None:
        """The refusal of one of `objects`, each named by kind and name."""
        return next((r for r in self.rejections if r.what in objects), None)

    def holding(self, kind: str, name: str) -> tuple[str, ...]:
        """The finalizers that keep an object from being deleted."""
        found = (one.finalizers for one in self.held if (one.kind, one.name) == (kind, name))
        return next(found, ())

    def record(self, revision: str | None) -> Record | None:
        return next((r for r in self.records if r.revision == revision), None)

    def deployment(self, revision: str | None) -> Deployment | None:
        return next((d for d in self.deployments if d.revision == revision), None)

    def autoscaler(self, revision: str | None) -> Autoscaler | None:
        return next((a for a in self.autoscalers if a.revision == revision), None)

    def pods_of(self, revision: str | None) -> tuple[Pod, ...]:
        return tuple(p for p in self.pods if p.revision == revision)

    def replicas(self, revision: str | None) -> int:
        """Returns how many pods the Deployment of `revision` wants; 0 without one."""
        deployment = self.deployment(revision)
        return deployment.replicas if deployment else 0

    def ready(self, revision: str | None) -> int:
        """How many pods of `revision` can answer now."""
        return sum(1 for p in self.pods if p.revision == revision and p.serves)

    def backend(self, revision: str | None) -> Backend | None:
        return next((b for b in self.backends if b.revision == revision), None)

    def backend_is_ready(self, revision: str | None) -> bool:
        """Whether the Service of `revision` alone has a ready pod of it among its endpoints."""
        backend = self.backend(revision)
        names = {p.name for p in self.pods_of(revision) if p.serves}
        return bool(backend and backend.endpoints & names)

    def exists(self, revision: str | None) -> bool:
        """Whether `revision` has a record or a Deployment."""
        return self.record(revision) is not None or self.deployment(revision) is not None

    def has_endpoints(self, revision: str | None) -> bool:
        """Whether the Service's endpoints list a pod of `revision`."""
        names = {p.name for p in self.pods if p.revision == revision}
        return bool(self.service and names & self.service.endpoints)


def newest(pods: Iterable[Pod]) -> Pod | None:
    return max(pods, key=lambda pod: pod.created, default=None)
