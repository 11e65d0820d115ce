"""A route with weights in front of per-revision Services: routers `Gateway` and `Istio`.

The route holds the traffic record. Its backends are the Services of single revisions, so a
promotion changes weights and no selector. `route_weights` builds and compares weights,
`route_repair` keeps everything else that a route needs.
"""

from __future__ import annotations

from dataclasses import dataclass

from canarium.api.reasons import RouteReason
from canarium.api.route_kind import RouteKind
from canarium.core.context.context import RolloutContext
from canarium.core.context.router import Blocker
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import Action, SelectColor, SetRouteWeights
from canarium.core.facts.grant import intended_weight
from canarium.core.facts.observed import COLORS
from canarium.core.facts.traffic_record import TrafficRecord
from canarium.core.facts.weights import safe_to_select
from canarium.core.routing import route_repair
from canarium.core.routing.preflight import is_writable, missing_prerequisite, rejected_by_gateway
from canarium.core.routing.route_weights import all_on, is_applied, is_safe, reaches_directly

#: With these reasons no gateway uses the route, so its content has no effect.
_UNROUTED = frozenset(
    {RouteReason.GATEWAY_API_MISSING, RouteReason.GATEWAY_NOT_FOUND, RouteReason.ISTIO_MISSING}
)


@dataclass(frozen=True)
class WeightedRouter:
    """The split is by request, as exact as the gateway is. `kind` is the kind of the route."""

    kind: RouteKind

    # --- queries ----------------------------------------------------------------------------

    def weight_applied(self, ctx: RolloutContext, weight: int) -> bool:
        return ctx.traffic.has_weight(ctx.target, weight) and not self.set_weight(ctx, weight)

    def stable_has_all(self, ctx: RolloutContext) -> bool:
        color, route = ctx.stable_color, ctx.traffic.route
        if ctx.standby or color is None:
            return False
        wanted = all_on(ctx, self.kind, ctx.stable)
        if route and wanted and is_writable(ctx, self.kind) and not is_safe(ctx, wanted):
            return False
        service = ctx.observed.service
        others = {p.name for p in ctx.observed.pods if p.revision != ctx.stable}
        inside = service is not None and service.color == color and not others & service.endpoints
        blocker = missing_prerequisite(ctx, self.kind)
        if not inside or (blocker and blocker.reason in _UNROUTED):
            return inside
        if route is None:
            # A route that the operator may not read can still route to others.
            return ctx.observed.route_api_error is None
        busy = any(weight for name, weight in route.weights if name != ctx.stable)
        return not busy and not route.direct and route.accepted and _delay_left(ctx) <= 0

    def can_fall_back(self, ctx: RolloutContext) -> bool:
        if ctx.traffic.route is None:  # Then all callers are inside the cluster.
            return safe_to_select(ctx.stable_color, ctx.observed)
        wanted = all_on(ctx, self.kind, ctx.stable)
        return wanted is None or is_safe(ctx, wanted)

    def ready_to_promote(self, ctx: RolloutContext) -> bool:
        """Returns whether weight 100 is in effect and no other revision serves in the target's
        colour."""
        deployment = ctx.observed.deployment(ctx.target)
        alone = all(
            pod.revision == ctx.target
            for pod in ctx.observed.pods
            if pod.serves and deployment and pod.color == deployment.color
        )
        return alone and self.weight_applied(ctx, 100)

    def blocker(self, ctx: RolloutContext) -> Blocker | None:
        return missing_prerequisite(ctx, self.kind) or rejected_by_gateway(ctx.observed.route)

    def is_frozen(self, ctx: RolloutContext) -> bool:
        return missing_prerequisite(ctx, self.kind) is not None

    def weight_follows_pods(self, ctx: RolloutContext) -> bool:
        return False

    def candidate_color(self, ctx: RolloutContext) -> str | None:
        """Returns any colour except stable's, which callers inside the cluster reach: pods of an
        older version may still be terminating in it."""
        if ctx.stable_color is None:
            return None  # Stable has to be recreated first, in its own colour.
        free = ctx.free_color(ctx.target)
        return free or next(color for color in COLORS if color != ctx.stable_color)

    def requeue_after(self, ctx: RolloutContext) -> float | None:
        left = _delay_left(ctx)
        return left if left > 0 else None

    # --- writes -----------------------------------------------------------------------------

    def set_weight(self, ctx: RolloutContext, weight: int) -> list[Action]:
        route, stable, target = ctx.traffic.route, ctx.stable, ctx.target
        if stable is None or missing_prerequisite(ctx, self.kind):
            return []
        if ctx.observed.backend(target) is None or ctx.observed.backend(stable) is None:
            return []
        ready, stable_ready = map(ctx.observed.backend_is_ready, (target, stable))
        if route is None and stable_ready:
            return []  # It is created for stable first.
        listed = route is not None and route.weight(target) is not None
        if not ready and not listed:
            return []  # It becomes a backend once it has endpoints.
        record = TrafficRecord(stable, target)
        if not ready:
            weight = 0  # A share for a Service without endpoints is a share of errors.
        elif ctx.standby == target or (weight and not stable_ready):
            weight = 100
        elif weight and route and not listed:
            # Listed first: a proxy that receives weights before the backend fails requests.
            return [SetRouteWeights(self.kind, ((stable, 100), (target, 0)), record)]
        elif weight and route and not route.weight(target) and not route.accepted:
            return []
        direct = ready and reaches_directly(ctx, weight)
        weights = ((stable, 100 - weight), (target, weight))
        wanted = SetRouteWeights(self.kind, weights, record, direct=direct)
        return [] if is_applied(route, wanted) or not is_safe(ctx, wanted) else [wanted]

    def hold_weight(self, ctx: RolloutContext, *, relief: bool) -> list[Action]:
        weight, covers = ctx.progress.weight, ctx.standby == ctx.target
        needed = ctx.traffic.pods_needed(weight, ctx.stable_replicas)
        holds = weight and (not relief or ctx.observed.ready(ctx.target) >= needed)
        if ctx.candidate_has_traffic or covers or holds:
            return self.set_weight(ctx, weight)
        return []

    def route_all_to_stable(
        self, ctx: RolloutContext, candidate: str | None = None
    ) -> list[Action]:
        if ctx.standby:
            return [] if ctx.has_failed(ctx.standby) else self.fail_over(ctx, ctx.standby)
        wanted, route = all_on(ctx, self.kind, ctx.stable, candidate), ctx.traffic.route
        if ctx.stable_color is None or route is None or wanted is None:
            return []
        if not is_writable(ctx, self.kind) or not is_safe(ctx, wanted):
            return []
        return [] if is_applied(route, wanted) else [wanted]

    def roll_back(self, ctx: RolloutContext) -> list[Action]:
        route, stable = ctx.traffic.route, ctx.stable
        record = TrafficRecord(stable, quarantined=ctx.target)
        if route is None or stable is None:
            return [SelectColor(ctx.stable_color, record, rolls_back=True)]
        weights = tuple((name, 100 if name == stable else 0) for name, _ in route.weights)
        if route.weight(stable) is None:
            weights = ((stable, 100), *weights)
        return [SetRouteWeights(self.kind, weights, record, rolls_back=True)]

    def promote(
        self, ctx: RolloutContext, revision: str, color: str, previous: str | None, since: str
    ) -> list[Action]:
        # The new stable moves to the first position while both still serve: it will be the only
        # one there, and gateways may name backends by position.
        weights = ((revision, 100), *(((ctx.stable, 0),) if ctx.stable else ()))
        record = TrafficRecord(revision, previous=previous, promoted_at=since)
        return [SetRouteWeights(self.kind, weights, record), SelectColor(color, record)]

    def undo(self, ctx: RolloutContext) -> list[Action]:
        previous = ctx.observed.deployment(ctx.previous)
        assert previous is not None
        record = TrafficRecord(previous.revision, quarantined=ctx.target)
        move = SelectColor(previous.color, record, rolls_back=True)
        if ctx.traffic.route is None:
            return [move]
        weights = ((previous.revision, 100), (ctx.target, 0))
        return [SetRouteWeights(self.kind, weights, record, rolls_back=True), move]

    def repair(self, ctx: RolloutContext, result: PhaseResult) -> list[Action]:
        return route_repair.repair(ctx, self.kind, result)

    def fail_over(self, ctx: RolloutContext, to: str) -> list[Action]:
        route, moves = ctx.traffic.route, list[Action]()
        # A failed candidate is not granted its weight again, and the record of its failure is kept:
        # if it did not serve, callers of stable would receive errors.
        if to == ctx.target and not ctx.has_failed(to):
            # Without a route, all callers are inside the cluster.
            if route or not ctx.observed.backend_is_ready(ctx.stable):
                moves = self.set_weight(ctx, ctx.progress.weight)
        elif not missing_prerequisite(ctx, self.kind) and ctx.observed.backend_is_ready(to):
            wanted = all_on(ctx, self.kind, to)
            moves = [wanted] if wanted and not is_applied(route, wanted) else []
        return [*moves, *route_repair.select_answering(ctx, ctx.previous)]

    def fail_back(self, ctx: RolloutContext, result: PhaseResult) -> list[Action]:
        """Lowers the weight of the candidate; `hold_weight` and `repair` do everything else."""
        route = ctx.traffic.route
        if result.candidate is None or result.progress is None or route is None:
            return []
        weight = intended_weight(result.progress)
        above = ctx.candidate_has_traffic and (route.weight(ctx.target) or 0) > weight
        return self.set_weight(ctx, weight) if above else []


def _delay_left(ctx: RolloutContext) -> float:
    """Returns the seconds for which pods without traffic are kept for requests in flight (R8)."""
    if all(d.revision == ctx.stable for d in ctx.observed.deployments):
        return 0.0
    since = ctx.traffic.accepted_since
    return since + ctx.settings.scale_down_delay - ctx.now if since is not None else 0.0
