"""Traffic as the cluster has it now: which object records who is stable, and who gets which share.

A view answers from observed objects, and where a gateway has not answered yet from the status.
There is one for each way to split traffic: `service_traffic` (by ready pods behind one selector)
and `route_traffic` (by the weights of a route). What to write is decided by the routers in
`core.routing`; a router whose route has weights needs no view of its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from canarium.api.effective_spec import EffectiveSpec
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
    def kind(self) -> str | None:
        """Kind of the route in effect; None where the callers' Service alone splits traffic."""

    @property
    @abstractmethod
    def record_object(self) -> Service | Route | None:
        """Object that holds the traffic record, changed in the write that moves traffic (R18)."""

    @property
    def record(self) -> TrafficRecord:
        """Traffic record; empty where no object holds one."""
        found = self.record_object
        return found.traffic if found else NO_RECORD

    @property
    def route(self) -> Route | None:
        """Route of the kind in effect, if it exists."""
        route = self.observed.route
        return route if route and route.kind == self.kind else None

    @abstractmethod
    def is_exposed(self, revision: str) -> bool:
        """Whether `revision` was exposed to callers as a candidate, by however little."""

    @abstractmethod
    def has_weight(self, revision: str, weight: int) -> bool:
        """Whether the candidate `revision` has at least `weight` percent (R6)."""

    @abstractmethod
    def observed_weight(self, candidate: str, stable: str | None) -> int | None:
        """Percent of `candidate` beside a stable with endpoints; None when no object has it."""

    @abstractmethod
    def effective_weight(self, revision: str) -> int:
        """Percent of requests that reach `revision` (R6)."""

    @abstractmethod
    def routes_to(self, revision: str) -> bool:
        """Whether requests reach ready pods of `revision`, by whatever share."""

    @abstractmethod
    def exceeds(self, revision: str, entitled: int, stable_color: str | None) -> bool:
        """Whether `revision` has more traffic than its rollout has `entitled` it to (percent)."""

    @abstractmethod
    def pods_needed(self, weight: int, stable_replicas: int) -> int:
        """Candidate pods for `weight` percent beside `stable_replicas` pods of stable (R5)."""

    @property
    def accepted_since(self) -> float | None:
        """Since when every gateway has accepted the route as it is; None before that."""
        return None

    @property
    def route_status(self) -> RouteStatus | None:
        """Route as the status shows it; None without one."""
        return None


def kind_in_effect(observed: Observed, status: Status, settings: EffectiveSpec) -> str | None:
    """Returns the kind of the route in effect, None without one.

    A change of the router waits until only one version runs, and callers inside the cluster are
    sent to it (R12).
    """
    stored, route, service = status.route, observed.route, observed.service
    now = stored.kind if stored else route.kind if route else None
    wanted = settings.route.kind if settings.route else None
    moves = status.stable and (status.candidate or status.previous)
    alone = len(observed.deployments) <= 1 and not moves
    agreed = not (route and route.traffic.stable and service) or (
        route.traffic.stable == service.traffic.stable
    )
    return wanted if (alone and agreed) or _is_lost(observed, status, wanted) else now


def _is_lost(observed: Observed, status: Status, wanted: str | None) -> bool:
    """Whether the route of a rollout was deleted while the spec asks for another router.

    The settings to create it again are gone with it. What is left must suit any router: the
    callers' Service selects one version, and each version that runs has a colour of its own.
    """
    stored = status.route
    if stored is None or stored.kind == wanted or observed.route or observed.route_api_error:
        return False
    colors = {d.color: d.revision for d in observed.deployments}
    pods = {(p.color, p.revision) for p in observed.pods}
    return (
        bool(observed.service and observed.service.color)
        and len(colors) == len(observed.deployments)
        and pods <= colors.items()
    )
