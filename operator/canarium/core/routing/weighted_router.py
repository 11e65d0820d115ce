"""A route with weights before per-revision Services: router `Gateway`, and others of its form.

The route is the witness of who is stable. Its backends are the Services of single revisions, so a
promotion changes weights and no selector. The callers' Service is never a backend: it selects
stable's colour for callers inside the cluster and moves with the promotion.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from canarium.api.reasons import RouteReason
from canarium.api.status import RouteStatus
from canarium.core.context.router import Blocker
from canarium.core.decision.plan import (
    Action,
    CreateBackend,
    DeleteBackend,
    DeleteRoute,
    SelectColor,
    SetRouteWeights,
)
from canarium.core.facts.grant import intended_weight
from canarium.core.facts.observed import COLORS
from canarium.core.facts.traffic_record import TrafficRecord
from canarium.core.facts.weights import safe_to_select
from canarium.core.routing.preflight import answered, wanting, writable
from canarium.core.times import parse, stamp

if TYPE_CHECKING:
    from canarium.core.context.context import RolloutContext
    from canarium.core.decision.phase_result import PhaseResult
    from canarium.core.facts.gateways import Route
    from canarium.core.facts.observed import Service

#: Nobody routes by a route of ours then: what it says has no effect.
_UNROUTED = frozenset(
    {RouteReason.GATEWAY_API_MISSING, RouteReason.GATEWAY_NOT_FOUND, RouteReason.ISTIO_MISSING}
)


@dataclass(frozen=True)
class WeightedRouter:
    """The split is by request, as exact as the gateway is. `kind` is the kind of the route."""

    kind: str

    # --- reading back -----------------------------------------------------------------------

    def witness(self, ctx: RolloutContext) -> Service | Route | None:
        route = ctx.observed.route
        return route if route and route.traffic.stable else ctx.observed.service

    def is_exposed(self, ctx: RolloutContext) -> bool:
        route = self._route(ctx)
        return bool(
            route and route.traffic.candidate == ctx.target and route.weight(ctx.target) is not None
        )

    def weight_applied(self, ctx: RolloutContext, weight: int) -> bool:
        route = self._route(ctx)
        if route is None or not self.is_exposed(ctx) or not self._settled(ctx):
            return False
        # Above it where stable has no ready pod: then the candidate has everything.
        return (route.weight(ctx.target) or 0) >= weight and not self.set_weight(ctx, weight)

    def observed_weight(self, ctx: RolloutContext) -> int | None:
        route = self._route(ctx)
        return route.weight(ctx.target) if route and self._up(ctx, ctx.stable) else None

    def effective_weight(self, ctx: RolloutContext, revision: str) -> int:
        if not ctx.observed.ready(revision):
            return 0
        route = self._route(ctx)
        if route and self._settled(ctx):
            return route.weight(revision) or 0
        told = (ctx.status.stable, ctx.status.candidate, ctx.status.previous)
        return next((t.effective_weight for t in told if t and t.revision == revision), 0)

    def routes_to(self, ctx: RolloutContext, revision: str) -> bool:
        route = self._route(ctx)
        return bool(route and route.weight(revision) and ctx.observed.ready(revision))

    def covers_for_stable(self, ctx: RolloutContext, revision: str) -> bool:
        route = self._route(ctx)
        weight = ctx.entitled_weight if revision == ctx.target else 0
        return bool(route and (route.weight(revision) or 0) > weight)

    def blocker(self, ctx: RolloutContext) -> Blocker | None:
        return wanting(ctx, self.kind) or answered(ctx.observed.route)

    def is_frozen(self, ctx: RolloutContext) -> bool:
        return wanting(ctx, self.kind) is not None

    def status(self, ctx: RolloutContext) -> RouteStatus | None:
        route = self._route(ctx)
        if route is None:
            return RouteStatus(kind=self.kind)
        since = self._settled_since(ctx)
        return RouteStatus(
            kind=route.kind,
            generation=route.generation,
            accepted=route.accepted,
            accepted_time=stamp(since) if since is not None else None,
        )

    # --- capacity ---------------------------------------------------------------------------

    def pods_needed(self, weight: int, stable_count: int) -> int:
        count = max(1, stable_count)
        return max(1, -(-count * min(weight, 100) // 100))

    def weight_follows_pods(self, ctx: RolloutContext) -> bool:
        return False

    def candidate_color(self, ctx: RolloutContext) -> str | None:
        """Any but stable's, which callers inside are sent to: the pods of an older version may
        still end in it."""
        if ctx.stable_color is None:
            return None  # Stable has to come back first, in a colour of its own.
        free = ctx.free_color(ctx.target)
        return free or next(color for color in COLORS if color != ctx.stable_color)

    # --- telling ----------------------------------------------------------------------------

    def set_weight(self, ctx: RolloutContext, weight: int) -> list[Action]:
        route, stable = self._route(ctx), ctx.stable
        if stable is None or wanting(ctx, self.kind):
            return []
        if ctx.observed.backend(ctx.target) is None or ctx.observed.backend(stable) is None:
            return []
        if route is None and self._up(ctx, stable):
            return []  # It is made for stable first.
        if not self._up(ctx, ctx.target) and (route is None or route.weight(ctx.target) is None):
            return []  # It is told once its endpoints are there.
        if not self._up(ctx, ctx.target):
            weight = 0  # A share for a Service without endpoints is a share of errors.
        elif ctx.standby == ctx.target or (weight and not self._up(ctx, stable)):
            weight = 100
        elif weight and route and route.weight(ctx.target) is None:
            # Listed first: a proxy that hears of weights before the backend fails requests.
            listed = ((stable, 100), (ctx.target, 0))
            return [SetRouteWeights(self.kind, listed, TrafficRecord(stable, ctx.target))]
        elif weight and route and not route.weight(ctx.target) and not route.accepted:
            return []
        direct = self._up(ctx, ctx.target) and self._direct(ctx, weight)
        wanted = SetRouteWeights(
            self.kind,
            ((stable, 100 - weight), (ctx.target, weight)),
            TrafficRecord(stable, ctx.target),
            direct=direct,
        )
        same = route is not None and self._is(route, wanted)
        return [] if same or not self._given_safely(ctx, wanted) else [wanted]

    def hold_weight(self, ctx: RolloutContext, *, relief: bool) -> list[Action]:
        covered = ctx.standby == ctx.target
        if self.is_exposed(ctx) or covered or (ctx.progress.weight and not relief):
            return self.set_weight(ctx, ctx.progress.weight)
        return []

    def fail_over(self, ctx: RolloutContext, to: str) -> list[Action]:
        route = self._route(ctx)
        # A candidate that has failed gets no weight of its own again, but the record of its failure
        # stays: what callers of stable would get instead of its answers is errors.
        if to == ctx.target and not ctx.has_failed(to):
            # Where there is no route yet, callers inside are all there are.
            moves = (
                self.set_weight(ctx, ctx.progress.weight)
                if route or not self._up(ctx, ctx.stable)
                else []
            )
        elif wanting(ctx, self.kind) or not self._up(ctx, to):
            moves = []
        else:
            wanted = self._all_on(ctx, to)
            same = wanted is None or (route is not None and self._is(route, wanted))
            moves = [wanted] if wanted and not same else []
        return [*moves, *self._select(ctx, ctx.previous)]

    def fail_back(self, ctx: RolloutContext, result: PhaseResult) -> list[Action]:
        """Weights follow stable where they are kept; see `keep` and `upkeep`."""
        route = self._route(ctx)
        if result.candidate is None or result.progress is None or route is None:
            return []
        weight = intended_weight(result.progress)
        above = self.is_exposed(ctx) and (route.weight(ctx.target) or 0) > weight
        return self.set_weight(ctx, weight) if above else []

    def route_all_to_stable(
        self, ctx: RolloutContext, actions: list[Action], candidate: str | None = None
    ) -> bool:
        color = ctx.stable_color
        if ctx.standby:
            actions += [] if ctx.has_failed(ctx.standby) else self.fail_over(ctx, ctx.standby)
            return False
        if color is None:
            return False
        wanted = self._all_on(ctx, ctx.stable, candidate)
        route = self._route(ctx)
        if route and wanted and writable(ctx, self.kind):
            if not self._given_safely(ctx, wanted):
                return False
            if not self._is(route, wanted):
                actions.append(wanted)
        return self._withdrawn(ctx, color)

    def _withdrawn(self, ctx: RolloutContext, color: str) -> bool:
        service = ctx.observed.service
        others = {p.name for p in ctx.observed.pods if p.revision != ctx.stable}
        inside = service is not None and service.color == color and not others & service.endpoints
        route = self._route(ctx)
        fault = wanting(ctx, self.kind)
        if not inside or (fault and fault.reason in _UNROUTED):
            return inside
        if route is None:
            # One that we may not see can lead there still.
            return ctx.observed.route_api_error is None
        busy = any(weight for name, weight in route.weights if name != ctx.stable)
        return not busy and not route.direct and self._settled(ctx) and self._left(ctx) <= 0

    def can_fall_back(self, ctx: RolloutContext) -> bool:
        if self._route(ctx) is None:
            return safe_to_select(
                ctx.stable_color, ctx.observed
            )  # Callers inside are all there are.
        wanted = self._all_on(ctx, ctx.stable)
        return wanted is None or self._given_safely(ctx, wanted)

    def roll_back(self, ctx: RolloutContext) -> list[Action]:
        route, stable = self._route(ctx), ctx.stable
        if route is None or stable is None:
            return [SelectColor(ctx.stable_color, TrafficRecord(stable, quarantined=ctx.target))]
        weights = tuple((name, 100 if name == stable else 0) for name, _ in route.weights)
        if route.weight(stable) is None:
            weights = ((stable, 100), *weights)
        return [SetRouteWeights(self.kind, weights, TrafficRecord(stable, quarantined=ctx.target))]

    def ready_to_promote(self, ctx: RolloutContext) -> bool:
        """The last 100 is a weight as any other; and nobody else answers in its colour."""
        deployment = ctx.observed.deployment(ctx.target)
        alone = all(
            pod.revision == ctx.target
            for pod in ctx.observed.pods
            if pod.serves and deployment and pod.color == deployment.color
        )
        return alone and self.weight_applied(ctx, 100)

    def promote(
        self, ctx: RolloutContext, revision: str, color: str, previous: str | None, since: str
    ) -> list[Action]:
        # The new stable takes the first place while both still answer: it will have it alone, and
        # gateways may go by places.
        weights = ((revision, 100), *(((ctx.stable, 0),) if ctx.stable else ()))
        traffic = TrafficRecord(revision, previous=previous, promoted_at=since)
        return [SetRouteWeights(self.kind, weights, traffic), SelectColor(color, traffic)]

    def undo(self, ctx: RolloutContext) -> list[Action]:
        previous = ctx.observed.deployment(ctx.previous)
        assert previous is not None
        traffic = TrafficRecord(previous.revision, quarantined=ctx.target)
        move = SelectColor(previous.color, traffic)
        if self._route(ctx) is None:
            return [move]
        weights = ((previous.revision, 100), (ctx.target, 0))
        return [SetRouteWeights(self.kind, weights, traffic), move]

    def repair(self, ctx: RolloutContext, result: PhaseResult) -> list[Action]:
        found, route = ctx.observed.route, self._route(ctx)
        if found and route is None:
            return [DeleteRoute(found.kind, found.uid)]
        if ctx.stable is None or result.stable != ctx.stable:
            return []
        # One that failed has its part until stable can take its traffic.
        led = {name for name, weight in (route.weights if route else ()) if weight}
        parts = {ctx.stable, result.candidate, result.previous, *led}
        running = [d.revision for d in ctx.observed.deployments if not d.terminating]
        actions: list[Action] = [
            CreateBackend(name)
            for name in running
            if name in parts and ctx.observed.backend(name) is None
        ]
        if not any(isinstance(a, SetRouteWeights) for a in result.actions):
            actions += self._mended(ctx, result)
        if not any(isinstance(a, SelectColor) for a in result.actions):
            actions += self._select(ctx, result.previous)
        return [*actions, *self._unused(ctx, (*running, *parts))]

    def _mended(self, ctx: RolloutContext, result: PhaseResult) -> list[Action]:
        """The route where it is not there, or not as it has to be when no version moves."""
        if ctx.standby and ctx.has_failed(ctx.standby):
            return []
        wanted = self._all_on(ctx, ctx.standby or ctx.stable)
        if wanted is None or wanting(ctx, self.kind):
            return []
        route = self._route(ctx)
        if route is None:
            made = replace(wanted, traffic=replace(wanted.traffic, quarantined=_latched(ctx)))
            return [made] if self._up(ctx, ctx.standby or ctx.stable) else []
        if result.candidate is not None or self._is(route, wanted):
            return []
        return [wanted] if self._given_safely(ctx, wanted) else []

    def _select(self, ctx: RolloutContext, previous: str | None) -> list[Action]:
        """The callers' Service selects the revision that answers, as the route leads there (R18).
        A standby is selected where nobody else answers in its colour."""
        service, color = ctx.observed.service, ctx.stable_color
        if ctx.standby:
            standby = ctx.observed.deployment(ctx.standby)
            color = standby.color if standby else None
            same = (p for p in ctx.observed.pods if p.serves and p.color == color)
            if any(p.revision != ctx.standby for p in same):
                return []
        if color is None or (
            service and (service.color, service.traffic.stable) == (color, ctx.stable)
        ):
            return []
        if not safe_to_select(color, ctx.observed):
            return []
        since = stamp(ctx.bake_start) if previous else None
        traffic = TrafficRecord(ctx.stable, previous=previous, promoted_at=since)
        return [SelectColor(color, traffic)]

    def _unused(self, ctx: RolloutContext, used: Iterable[str | None]) -> list[Action]:
        """Services that no gateway leads to any more."""
        route = self._route(ctx)
        if route and not self._settled(ctx):
            return []
        return [
            DeleteBackend(b.revision, b.uid)
            for b in ctx.observed.backends
            if b.revision not in used and (route is None or route.weight(b.revision) is None)
        ]

    def requeue_after(self, ctx: RolloutContext) -> float | None:
        left = self._left(ctx)
        return left if left > 0 else None

    # --- parts ------------------------------------------------------------------------------

    def _route(self, ctx: RolloutContext) -> Route | None:
        route = ctx.observed.route
        return route if route and route.kind == self.kind else None

    def _up(self, ctx: RolloutContext, revision: str | None) -> bool:
        """Whether the Service of `revision` has a ready pod behind it."""
        backend = ctx.observed.backend(revision)
        ready = {p.name for p in ctx.observed.pods_of(revision) if p.serves}
        return bool(backend and backend.endpoints & ready)

    def _direct(self, ctx: RolloutContext, weight: int) -> bool:
        wanted = ctx.settings.route
        return bool(wanted and (wanted.header or (wanted.mirror and weight == 0)))

    def _all_on(
        self, ctx: RolloutContext, whom: str | None, candidate: str | None = None
    ) -> SetRouteWeights | None:
        """`whom` has everything; who else runs stays a backend, so that its counters go on. The
        `candidate` stays named where it is, as what it was granted stays on record; alone it is no
        reason for a write."""
        if whom is None:
            return None
        route = self._route(ctx)
        now = [name for name, _ in (route.weights if route else ())]
        listed = [n for n in now if n in (whom, ctx.stable) or ctx.observed.deployment(n)]
        listed = [*(n for n in (whom,) if n not in listed), *listed]
        named = route.traffic.candidate if route else None
        return SetRouteWeights(
            self.kind,
            tuple((name, 100 if name == whom else 0) for name in listed),
            TrafficRecord(
                ctx.stable,
                candidate=candidate if candidate and candidate == named else None,
                quarantined=_latched(ctx),
                previous=ctx.previous,
                promoted_at=stamp(ctx.bake_start) if ctx.previous else None,
            ),
        )

    def _given_safely(self, ctx: RolloutContext, wanted: SetRouteWeights) -> bool:
        """R0, by the pods that are ready now and those that would have the traffic then."""
        route = self._route(ctx)
        now = [name for name, weight in (route.weights if route else ()) if weight]
        then = [name for name, weight in wanted.weights if weight]
        answers = any(ctx.observed.ready(name) for name in then)
        return answers or not any(ctx.observed.ready(name) for name in now)

    def _is(self, route: Route, wanted: SetRouteWeights) -> bool:
        """Whether the route gives what is wanted, to whom. Who is warm or failed is told with the
        next change: alone it is no reason for a write."""

        def split(of: Route | SetRouteWeights) -> tuple[object, ...]:
            return dict(of.weights), of.traffic.stable, of.traffic.candidate, of.direct

        return split(route) == split(wanted)

    def _settled(self, ctx: RolloutContext) -> bool:
        route = self._route(ctx)
        return bool(route and route.accepted)

    def _settled_since(self, ctx: RolloutContext) -> float | None:
        route, told = self._route(ctx), ctx.status.route
        if route is None or not route.accepted:
            return None
        known = told and told.accepted and told.accepted_time and told.kind == route.kind
        if known and told and told.accepted_time and told.generation == route.generation:
            return min(ctx.now, parse(told.accepted_time))
        return ctx.now

    def _left(self, ctx: RolloutContext) -> float:
        """Seconds that pods without traffic still live, for requests under way (R8)."""
        if all(d.revision == ctx.stable for d in ctx.observed.deployments):
            return 0.0
        since = self._settled_since(ctx)
        return since + ctx.settings.scale_down_delay - ctx.now if since is not None else 0.0


def _latched(ctx: RolloutContext) -> str | None:
    return ctx.target if ctx.quarantined else None
