"""Why a route cannot take effect: missing prerequisites, and what gateways report."""

from __future__ import annotations

from canarium.api.reasons import RouteReason
from canarium.api.route_kind import GRPC_ROUTE, RouteKind
from canarium.core.context.context import RolloutContext
from canarium.core.context.router import Blocker
from canarium.core.facts.gateways import Gateway, Route
from canarium.core.facts.object_ref import ObjectRef


def missing_prerequisite(ctx: RolloutContext, kind: RouteKind) -> Blocker | None:
    """Returns what would prevent a gateway from accepting any route of this model; None if nothing.

    It is determined before a route is written, so that the existing one is left unchanged.
    """
    rejected = _rejected(ctx, kind)
    if rejected:
        return rejected
    for gateway in ctx.observed.gateways:
        fault = _closed(gateway) or _unable(ctx, gateway)
        if fault:
            return fault
    for revision in (ctx.stable, ctx.target):
        deployment = ctx.observed.deployment(revision)
        if kind == GRPC_ROUTE and deployment and "grpc" not in deployment.ports:
            text = f"revision {revision} has no port named grpc. Add it to spec.runtime.ports"
            return Blocker(RouteReason.NO_GRPC_PORT, text)
    return None


def is_writable(ctx: RolloutContext, kind: RouteKind) -> bool:
    """Returns whether the API server would accept a route, even if no gateway does."""
    return _rejected(ctx, kind) is None


def _rejected(ctx: RolloutContext, kind: RouteKind) -> Blocker | None:
    if ctx.observed.route_api_error:
        return Blocker(*ctx.observed.route_api_error)
    rejection = ctx.observed.rejected(ObjectRef(kind.kind, ctx.name))
    if rejection:
        conflict = rejection.conflict
        reason = RouteReason.NAME_CONFLICT if conflict else RouteReason.ROUTE_INVALID
        return Blocker(reason, rejection.quoted(), rejection)
    return None


def rejected_by_gateway(route: Route | None) -> Blocker | None:
    """Returns why a gateway rejects the route; None if none does."""
    return Blocker(*route.rejection) if route and route.rejection else None


def _closed(gateway: Gateway) -> Blocker | None:
    if not gateway.exists:
        return Blocker(RouteReason.GATEWAY_NOT_FOUND, f"Gateway {gateway} does not exist")
    chosen = [
        listener
        for listener in gateway.listeners
        if gateway.section in (None, listener.name) and gateway.port in (None, listener.port)
    ]
    if not chosen:
        where = gateway.section or gateway.port
        return Blocker(RouteReason.NO_MATCHING_PARENT, f"Gateway {gateway} has no listener {where}")
    if not gateway.own and all(listener.allowed == "Same" for listener in chosen):
        text = f"Gateway {gateway} accepts only routes from its namespace"
        return Blocker(
            RouteReason.NOT_ALLOWED_BY_LISTENERS,
            f"{text}. Set allowedRoutes.namespaces on a listener",
        )
    return None


def _unable(ctx: RolloutContext, gateway: Gateway) -> Blocker | None:
    """Returns a feature that the route needs and the GatewayClass does not list; None without
    one."""
    wanted = ctx.settings.route
    if gateway.features is None or wanted is None:
        return None
    for feature, field in wanted.needs:
        if feature not in gateway.features:
            text = f"{field} needs {feature}, which the GatewayClass of {gateway} does not support"
            return Blocker(RouteReason.UNSUPPORTED_BY_GATEWAY, text)
    return None
