"""Facts about routes: the model's route, what gateways report about it, and its Gateways."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto

from canarium.api.route_kind import RouteKind
from canarium.core.facts.traffic_record import NO_RECORD, TrafficRecord


@dataclass(frozen=True, slots=True)
class Backend:
    """The Service of a single revision; `endpoints` are its ready pods by EndpointSlices."""

    name: str
    uid: str
    revision: str
    endpoints: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Route:
    """The route of a model. `weights` are percent by revision, from the live object."""

    kind: RouteKind
    uid: str
    generation: int
    weights: tuple[tuple[str, int], ...]
    traffic: TrafficRecord = NO_RECORD
    #: Whether requests are routed or mirrored to the candidate independently of its weight.
    direct: bool = False
    #: Whether every gateway that it names has accepted its current generation.
    accepted: bool = False
    #: Why a gateway rejected its current generation: reason and text.
    rejection: tuple[str, str] | None = None
    #: Gateways that have not reported on its current generation.
    pending_parents: tuple[str, ...] = ()

    def weight(self, revision: str | None) -> int | None:
        """Returns the percent of `revision`; None when it is not a backend."""
        return next((weight for name, weight in self.weights if name == revision), None)


@dataclass(frozen=True, slots=True)
class Listener:
    """A listener of a Gateway. `allowed` is from which namespaces it accepts routes: Same, All,
    Selector or None. Without a hostname it accepts requests for any host."""

    name: str
    port: int
    allowed: str = "Same"
    hostname: str = ""


@dataclass(frozen=True, slots=True)
class Gateway:
    """A Gateway that a route refers to; `section` and `port` select among its listeners."""

    namespace: str
    name: str
    exists: bool = True
    #: Whether it is in the model's own namespace.
    own: bool = True
    section: str | None = None
    port: int | None = None
    #: Features that its GatewayClass supports; None when it does not list any.
    features: frozenset[str] | None = None
    listeners: tuple[Listener, ...] = ()

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Precedence(Enum):
    """Why one of two routes that claim the same requests receives them. It is never published."""

    MORE_SPECIFIC_HOSTNAME = auto()
    OLDER = auto()
    FIRST_BY_NAME = auto()


@dataclass(frozen=True, slots=True)
class RouteConflict:
    """Another route that claims the same requests as the model's; `lost`: it receives them.

    Both have the same kind; the model's is `own`, as namespace/name. `model` is the ModelDeployment
    that controls the other route, if any. `requests` describes what both claim on `gateway`.
    """

    kind: str
    own: str
    namespace: str
    name: str
    model: str | None
    gateway: str
    requests: str
    lost: bool
    why: Precedence
