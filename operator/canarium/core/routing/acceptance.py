"""Whether the route is in effect as it was written."""

from __future__ import annotations

from canarium.api.reasons import RouteReason
from canarium.core.context.context import Situation
from canarium.core.context.router import Fault


def route_not_in_effect(s: Situation) -> Fault | None:
    """Returns why the route is not in effect as it is; None when it is, or there is none."""
    if s.route_kind is None or s.stable is None:
        return None
    fault, route = s.router.fault(s), s.observed.route
    if fault:
        return fault
    if route is None or route.kind != s.route_kind:
        return Fault(RouteReason.PENDING, f"the {s.route_kind} does not exist yet")
    if route.accepted:
        return None
    who = ", ".join(route.silent)
    return Fault(
        RouteReason.PENDING, f"{who} has not taken generation {route.generation} of the route yet"
    )
