"""Whether the route is in effect as it was written."""

from __future__ import annotations

from canarium.api.reasons import RouteReason
from canarium.core.context.context import RolloutContext
from canarium.core.context.router import Blocker


def route_not_in_effect(ctx: RolloutContext) -> Blocker | None:
    """Returns why the route is not in effect as it is; None when it is, or there is none."""
    if ctx.route_kind is None or ctx.stable is None:
        return None
    fault, route = ctx.router.blocker(ctx), ctx.observed.route
    if fault:
        return fault
    if route is None or route.kind != ctx.route_kind:
        return Blocker(RouteReason.PENDING, f"the {ctx.route_kind} does not exist yet")
    if route.accepted:
        return None
    who = ", ".join(route.pending_parents)
    return Blocker(
        RouteReason.PENDING,
        f"{who} has not accepted generation {route.generation} of the route yet",
    )
