"""Live traffic: which object holds the traffic record, and which share each revision receives.

A view reads observed objects, and the status where a gateway has not reported yet. There is one for
each way to split traffic: `service_traffic` (by ready pods behind one selector) and `route_traffic`
(by the weights of a route). The routers in `core.routing` decide what to write; a router whose
route has weights uses `route_traffic`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from canarium.api.effective_spec import EffectiveSpec
from canarium.api.route_kind import RouteKind
from canarium.api.status import RouteStatus, Status
from canarium.core.facts.gateways import Route
from canarium.core.facts.observed import Observed, Service
from canarium.core.facts.traffic_record import NO_RECORD, TrafficRecord


@dataclass(frozen=True)
class TrafficView(ABC):
    """Traffic at one moment; `now` is in POSIX seconds."""

    observed: Observed
    status: Status
    now: float

    @property
    @abstractmethod
    def kind(self) -> RouteKind | None:
        """Kind of the route in effect; None where the callers' Service alone splits traffic."""

    @property
    @abstractmethod
    def record_object(self) -> Service | Route | None:
        """Object that holds the traffic record, changed in the write that moves traffic (R18)."""

    @property
    def record(self) -> TrafficRecord:
        """Traffic record; empty where no object holds one."""
        holder = self.record_object
        return holder.traffic if holder else NO_RECORD

    @property
    def route(self) -> Route | None:
        """Route of the kind in effect, if it exists."""
        route = self.observed.route
        return route if route and route.kind == self.kind else None

    @abstractmethod
    def is_exposed(self, revision: str) -> bool:
        """Returns whether `revision` was exposed to callers as a candidate, with any weight."""

    @abstractmethod
    def has_weight(self, revision: str, weight: int) -> bool:
        """Returns whether the candidate `revision` has at least `weight` percent (R6)."""

    @abstractmethod
    def observed_weight(self, candidate: str, stable: str | None) -> int | None:
        """Returns the percent of `candidate` on the route while stable has endpoints, else None."""

    @abstractmethod
    def effective_weight(self, revision: str) -> int:
        """Returns the percent of requests that reach `revision` (R6)."""

    @abstractmethod
    def routes_to(self, revision: str) -> bool:
        """Returns whether any requests reach ready pods of `revision`."""

    @abstractmethod
    def exceeds(self, revision: str, entitled: int, stable_color: str | None) -> bool:
        """Returns whether `revision` has more traffic than the `entitled` percent."""

    @abstractmethod
    def pods_needed(self, weight: int, stable_replicas: int) -> int:
        """Returns the number of candidate pods for `weight` percent beside stable's pods (R5)."""

    @property
    def accepted_since(self) -> float | None:
        """Since when every gateway has accepted the route as it is; None before that."""
        return None

    @property
    def route_status(self) -> RouteStatus | None:
        """Route as the status shows it; None without one."""
        return None


def kind_in_effect(observed: Observed, status: Status, settings: EffectiveSpec) -> RouteKind | None:
    """Returns the kind of the route in effect, None without one.

    A change of the router waits until only one version runs, and callers inside the cluster are
    sent to it (R12).
    """
    stored, route, service = status.route, observed.route, observed.service
    current = stored.route_kind if stored else route.kind if route else None
    wanted = settings.route.kind if settings.route else None
    moves = status.stable and (status.candidate or status.previous)
    alone = len(observed.deployments) <= 1 and not moves
    agreed = not (route and route.traffic.stable and service) or (
        route.traffic.stable == service.traffic.stable
    )
    return wanted if (alone and agreed) or _is_lost(observed, status, wanted) else current


def _is_lost(observed: Observed, status: Status, wanted: RouteKind | None) -> bool:
    """Returns whether the route of a rollout was deleted while the spec asks for another router.

    The settings to create it again were deleted with it. What remains must suit any router: the
    callers' Service selects one version, and running versions have different colours.
    """
    stored = status.route
    if stored is None or stored.route_kind == wanted or observed.route or observed.route_api_error:
        return False
    colors = {d.color: d.revision for d in observed.deployments}
    pods = {(p.color, p.revision) for p in observed.pods}
    return (
        bool(observed.service and observed.service.color)
        and len(colors) == len(observed.deployments)
        and pods <= colors.items()
    )
