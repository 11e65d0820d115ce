"""What a route needs besides its weights: itself, one Service per backend, and callers inside.

The callers' Service is not a backend. For callers inside the cluster it selects the revision that
serves, and it follows the promotion.
"""

from __future__ import annotations

from collections.abc import Iterable

from canarium.api.route_kind import RouteKind
from canarium.core.context.context import RolloutContext
from canarium.core.decision.phase_result import PhaseResult
from canarium.core.decision.plan import (
    Action,
    CreateBackend,
    DeleteBackend,
    DeleteRoute,
    SelectColor,
    SetRouteWeights,
)
from canarium.core.facts.traffic_record import TrafficRecord
from canarium.core.facts.weights import safe_to_select
from canarium.core.routing.preflight import missing_prerequisite
from canarium.core.routing.route_weights import all_on, is_applied, is_safe
from canarium.core.times import stamp


def repair(ctx: RolloutContext, kind: RouteKind, result: PhaseResult) -> list[Action]:
    """Returns the writes that restore missing objects and delete those that no gateway needs."""
    live, route = ctx.observed.route, ctx.traffic.route
    if live and route is None:
        return [DeleteRoute(live.kind, live.uid)]
    # The first version is reported as the candidate until it serves.
    if ctx.stable is None or (result.stable or result.candidate) != ctx.stable:
        return []
    # A revision that failed stays a backend until stable can take its traffic.
    weighted = {name for name, weight in (route.weights if route else ()) if weight}
    parts = {ctx.stable, result.candidate, result.previous, *weighted}
    running = [d.revision for d in ctx.observed.deployments if not d.terminating]
    actions: list[Action] = [
        CreateBackend(name)
        for name in running
        if name in parts and ctx.observed.backend(name) is None
    ]
    if not any(isinstance(a, SetRouteWeights) for a in result.actions):
        actions += _restored_route(ctx, kind, result)
    if not any(isinstance(a, SelectColor) for a in result.actions):
        failing = result.failure.revision if result.failure else None
        actions += select_answering(ctx, result.previous, failing)
    return [*actions, *_unused_backends(ctx, (*running, *parts))]


def select_answering(
    ctx: RolloutContext, previous: str | None, failing: str | None = None
) -> list[Action]:
    """Makes the callers' Service select the revision that serves, as the route does (R18).

    A standby is selected only if no other revision has ready pods of its colour. One that has
    failed, or that this decision records as `failing`, does not start to be selected (R9).
    """
    service, color = ctx.observed.service, ctx.stable_color
    standby = ctx.observed.deployment(ctx.standby)
    failed = ctx.standby is not None and (ctx.standby == failing or ctx.has_failed(ctx.standby))
    selected = service is not None and standby is not None and service.color == standby.color
    if ctx.standby and (selected or not failed):
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
    return [SelectColor(color, TrafficRecord(ctx.stable, previous=previous, promoted_at=since))]


def _restored_route(ctx: RolloutContext, kind: RouteKind, result: PhaseResult) -> list[Action]:
    """Returns the route if it is missing, or differs from its desired state while no version
    moves."""
    if ctx.standby and ctx.has_failed(ctx.standby):
        return []
    wanted = all_on(ctx, kind, ctx.standby or ctx.stable)
    if wanted is None or missing_prerequisite(ctx, kind):
        return []
    if ctx.traffic.route is None:
        return [wanted] if ctx.observed.backend_is_ready(ctx.standby or ctx.stable) else []
    if result.candidate is not None or is_applied(ctx.traffic.route, wanted):
        return []
    return [wanted] if is_safe(ctx, wanted) else []


def _unused_backends(ctx: RolloutContext, used: Iterable[str | None]) -> list[Action]:
    """Returns deletions of Services to which no gateway routes any more."""
    route = ctx.traffic.route
    if route and not route.accepted:
        return []
    return [
        DeleteBackend(b.revision, b.uid)
        for b in ctx.observed.backends
        if b.revision not in used and (route is None or route.weight(b.revision) is None)
    ]
