"""Traffic behind a route with weights, each of whose backends is the Service of one revision."""

from __future__ import annotations

from dataclasses import dataclass

from canarium.api.route_kind import RouteKind
from canarium.api.status import RouteStatus
from canarium.core.facts.gateways import Route
from canarium.core.facts.observed import Service
from canarium.core.facts.traffic import TrafficView
from canarium.core.facts.weights import pods_needed_by_route
from canarium.core.times import parse, stamp


@dataclass(frozen=True)
class RouteTraffic(TrafficView):
    """The split is by request, as exact as the gateway is."""

    route_kind: RouteKind

    @property
    def kind(self) -> RouteKind:
        return self.route_kind

    @property
    def record_object(self) -> Service | Route | None:
        route = self.observed.route
        return route if route and route.traffic.stable else self.observed.service

    def is_exposed(self, revision: str) -> bool:
        route = self.route
        return bool(
            route and route.traffic.candidate == revision and route.weight(revision) is not None
        )

    def has_weight(self, revision: str, weight: int) -> bool:
        route = self.route
        if route is None or not route.accepted or not self.is_exposed(revision):
            return False
        # Above `weight` where stable has no ready pods: the candidate then has all traffic.
        return (route.weight(revision) or 0) >= weight

    def observed_weight(self, candidate: str, stable: str | None) -> int | None:
        route = self.route
        return route.weight(candidate) if route and self.observed.backend_is_ready(stable) else None

    def effective_weight(self, revision: str) -> int:
        if not self.observed.ready(revision):
            return 0
        route = self.route
        if route and route.accepted:
            return route.weight(revision) or 0
        stored = (self.status.stable, self.status.candidate, self.status.previous)
        return next((x.effective_weight for x in stored if x and x.revision == revision), 0)

    def routes_to(self, revision: str) -> bool:
        route = self.route
        return bool(route and route.weight(revision) and self.observed.ready(revision))

    def exceeds(self, revision: str, entitled: int, stable_color: str | None) -> bool:
        route = self.route
        return bool(route and (route.weight(revision) or 0) > entitled)

    def pods_needed(self, weight: int, stable_replicas: int) -> int:
        return pods_needed_by_route(weight, stable_replicas)

    @property
    def accepted_since(self) -> float | None:
        route, stored = self.route, self.status.route
        if route is None or not route.accepted:
            return None
        stored_time = (
            stored and stored.accepted and stored.accepted_time and stored.route_kind == route.kind
        )
        if (
            stored_time
            and stored
            and stored.accepted_time
            and stored.generation == route.generation
        ):
            return min(self.now, parse(stored.accepted_time))
        return self.now

    @property
    def route_status(self) -> RouteStatus:
        route = self.route
        if route is None:
            return RouteStatus(group=self.kind.group, kind=self.kind.kind)
        since = self.accepted_since
        return RouteStatus(
            group=route.kind.group,
            kind=route.kind.kind,
            generation=route.generation,
            accepted=route.accepted,
            accepted_time=stamp(since) if since is not None else None,
        )
