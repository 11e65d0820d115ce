"""Facts about the pods of one ModelDeployment. All times are POSIX seconds."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from canarium.api.server import SERVER_CONTAINER

#: Waiting reasons of containers in a pod that is still starting; they do not indicate a fault.
CREATING_REASONS = ("ContainerCreating", "PodInitializing")


#: Where the scheduler gives no text.
UNSCHEDULABLE_TEXT = "no node fits the pod"


class TroubleReason(StrEnum):
    """Reasons of a pod's Events that explain why its containers are not created."""

    FAILED_ATTACH_VOLUME = "FailedAttachVolume"
    FAILED_MAP_VOLUME = "FailedMapVolume"
    FAILED_MOUNT = "FailedMount"
    FAILED_CREATE_POD_SANDBOX = "FailedCreatePodSandBox"
    FAILED_PREPARE_DYNAMIC_RESOURCES = "FailedPrepareDynamicResources"
    NETWORK_NOT_READY = "NetworkNotReady"


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why the kubelet cannot create the containers of a pod, from the pod's Events.

    `missing`: a Secret or ConfigMap that a volume of the revision needs does not exist.
    """

    reason: TroubleReason
    message: str
    missing: bool = False


@dataclass(frozen=True, slots=True)
class Container:
    """State of one container; the fields `last_*` describe how its previous run ended."""

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
    #: When it started; None while it is not running.
    started: float | None = None
    #: Whether its readiness probe passes.
    ready: bool = False

    @property
    def is_server(self) -> bool:
        """Whether it is the model server: every rendered template uses the same name for it."""
        return not self.init and self.name == SERVER_CONTAINER


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod of the model."""

    name: str
    revision: str
    color: str
    created: float
    ready: bool = False
    ready_changed: float | None = None
    terminating: bool = False
    #: End of its grace period; None unless it is terminating.
    terminates_by: float | None = None
    #: Why all its containers have ended although the pod object exists, such as `Evicted`.
    ended: str | None = None
    unschedulable_since: float | None = None
    unschedulable_message: str = UNSCHEDULABLE_TEXT
    #: Whether a scheduling gate, such as that of a queueing system, delays its scheduling.
    scheduling_gated: bool = False
    disrupted: bool = False
    #: Since when it has waited only for its current containers: when it was bound to a node, or
    #: when its last finished init container ended; its creation time before it is bound.
    containers_since: float | None = None
    #: IP address; None until the pod has one.
    address: str | None = None
    #: Digest of the model that its fetcher downloaded.
    artifact: str | None = None
    #: Signature of the model that its fetcher verified (JSON, see `core.facts.signature`).
    signature: str | None = None
    #: Container → image as the kubelet resolved it.
    images: tuple[tuple[str, str], ...] = ()
    containers: tuple[Container, ...] = ()
    #: Whether it is bound to a node.
    scheduled: bool = False
    #: Whether a ReplicaSet controls it. One that lost a label of its selector is released:
    #: it is replaced, and nothing scales or deletes it.
    controlled: bool = True
    #: What its Events report while its containers are being created.
    trouble: Trouble | None = None

    @property
    def serves(self) -> bool:
        """Whether it is ready and not terminating."""
        return self.ready and not self.terminating

    @property
    def creating(self) -> bool:
        """Whether it is bound to a node and none of its containers has started yet."""
        waits = all(c.waiting in CREATING_REASONS for c in self.containers)
        return self.scheduled and not self.terminating and not self.ready and waits


def newest_pod(pods: Iterable[Pod]) -> Pod | None:
    """Returns the pod that was created last; None without pods."""
    return max(pods, key=lambda pod: pod.created, default=None)
