"""Who answers callers now, read from endpoints and weights alone.

Nothing here asks who is stable or what a decision wants: messages, phases and conditions that say
that a version serves are built on this, so that none of them can be wrong about it (R29).
"""

from __future__ import annotations

from canarium.core.context.context import RolloutContext
from canarium.core.facts.gateways import Route
from canarium.core.facts.observed import Service


def answering(ctx: RolloutContext) -> dict[str, int]:
    """Percent of callers by revision, of those that have a ready endpoint; empty in an outage.

    Behind a route its weights count, as far as there are endpoints behind them; else the callers'
    Service, whose connections are spread evenly over its endpoints.
    """
    route = ctx.traffic.route
    if route:
        behind = {r: w for r, w in route.weights if w and ctx.observed.backend_is_ready(r)}
        if behind:
            return behind
    service = ctx.observed.service
    names = service.endpoints if service else frozenset()
    pods = [p for p in ctx.observed.pods if p.serves and p.name in names]
    found = dict.fromkeys((p.revision for p in pods), 0)
    return {r: round(100 * sum(p.revision == r for p in pods) / len(pods)) for r in found}


def is_answered(ctx: RolloutContext) -> bool:
    """Whether any version answers callers."""
    return bool(answering(ctx))


def carries_traffic(ctx: RolloutContext, revision: str) -> bool:
    """Whether callers may still be led to `revision`: it is selected, listed, weighted, or a
    gateway has not yet confirmed that it is not."""
    deployment, pods = ctx.observed.deployment(revision), ctx.observed.pods_of(revision)
    if deployment is None and not pods:
        return False
    service = ctx.observed.service
    if service is None or _selects(ctx, service, revision):
        return True
    route = ctx.traffic.route
    if route is None:
        return False
    return bool(route.weight(revision)) or route.direct or not _confirmed(ctx, route)


def _selects(ctx: RolloutContext, service: Service, revision: str) -> bool:
    if {p.name for p in ctx.observed.pods_of(revision)} & service.endpoints:
        return True
    deployment = ctx.observed.deployment(revision)
    return service.color == "" or bool(deployment and deployment.color == service.color)


def _confirmed(ctx: RolloutContext, route: Route) -> bool:
    """Whether gateways have taken the route as it is; where nothing can be routed, nobody is."""
    return route.accepted or ctx.router.is_frozen(ctx)
