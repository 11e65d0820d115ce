"""Facts of routes through a gateway: what ours says, what was answered, what the gateway is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from canarium.core.facts.traffic_record import NO_RECORD, TrafficRecord


@dataclass(frozen=True, slots=True)
class Backend:
    """The Service of one revision; `endpoints` are the pods that its EndpointSlices list as
    ready."""

    name: str
    uid: str
    revision: str
    endpoints: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Route:
    """The route of a model. `weights` are percent by revision, of the live object."""

    kind: str
    uid: str
    generation: int
    weights: tuple[tuple[str, int], ...]
    traffic: TrafficRecord = NO_RECORD
    #: Whether some requests are led or copied to the candidate whatever its weight.
    direct: bool = False
    #: Every gateway that it names has taken this very generation.
    accepted: bool = False
    #: What a gateway said against this very generation: reason and text.
    refusal: tuple[str, str] | None = None
    #: The gateways that have not answered yet.
    silent: tuple[str, ...] = ()

    def weight(self, revision: str | None) -> int | None:
        """The percent of `revision`; None when it is no backend."""
        return next((weight for name, weight in self.weights if name == revision), None)


@dataclass(frozen=True, slots=True)
class Listener:
    """A listener of a Gateway, and the namespaces that it takes routes from: Same, All,
    Selector, or None. Without a hostname it takes requests for all."""

    name: str
    port: int
    allowed: str = "Same"
    hostname: str = ""


@dataclass(frozen=True, slots=True)
class Gateway:
    """A Gateway that a route names; `section` and `port` narrow its listeners."""

    namespace: str
    name: str
    found: bool = True
    #: Whether it is in the model's own namespace.
    own: bool = True
    section: str | None = None
    port: int | None = None
    #: What its class says that it can do; None when it says nothing.
    features: frozenset[str] | None = None
    listeners: tuple[Listener, ...] = ()

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Winner(StrEnum):
    """Why one of two routes that claim the same requests receives them."""

    MORE_SPECIFIC_HOSTNAME = "MoreSpecificHostname"
    OLDER = "Older"
    FIRST_BY_NAME = "FirstByName"


@dataclass(frozen=True, slots=True)
class RouteConflict:
    """A route that claims the same requests as the model's own; `lost`: it receives them.

    Both have the same kind, and ours is `own`, as namespace/name; `model` is the ModelDeployment
    that controls the other one, if one does. `requests` describes what both claim on `gateway`.
    """

    kind: str
    own: str
    namespace: str
    name: str
    model: str | None
    gateway: str
    requests: str
    lost: bool
    why: Winner
