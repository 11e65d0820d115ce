"""Which revisions serve callers now, from endpoints and weights alone.

Nothing here depends on which revision is stable or what a decision intends: messages, phases and
conditions about serving versions are based on this, so that they report what callers see (R29).
"""

from __future__ import annotations

from collections.abc import Mapping

from canarium.core.context.context import RolloutContext
from canarium.core.context.once import once
from canarium.core.facts.gateways import Route
from canarium.core.facts.observed import Service


@once
def answering(ctx: RolloutContext) -> Mapping[str, int]:
    """Returns the percent of traffic by revision with ready endpoints; empty in an outage.

    The weights of a route count if there are endpoints behind them; else the callers' Service,
    which spreads connections evenly over its endpoints.
    """
    route = ctx.traffic.route
    if route:
        behind = {r: w for r, w in route.weights if w and ctx.observed.backend_is_ready(r)}
        if behind:
            return behind
    service = ctx.observed.service
    names = service.endpoints if service else frozenset()
    pods = [p for p in ctx.observed.running_pods if p.serves and p.name in names]
    revisions = dict.fromkeys((p.revision for p in pods), 0)
    return {r: round(100 * sum(p.revision == r for p in pods) / len(pods)) for r in revisions}


def is_answered(ctx: RolloutContext) -> bool:
    """Returns whether any version serves callers."""
    return bool(answering(ctx))


def carries_traffic(ctx: RolloutContext, revision: str) -> bool:
    """Returns whether callers may still reach `revision`.

    They may if the Service selects it or has its pods as endpoints, if it has weight on the route,
    or until gateways have accepted a route without it.
    """
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
    """Returns whether gateways have accepted the route, or no route can be in effect at all."""
    return route.accepted or ctx.router.is_frozen(ctx)
