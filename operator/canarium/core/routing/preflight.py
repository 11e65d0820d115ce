"""Why a route is not taken, by exact name: what is missing around it, and what gateways answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from canarium.api.reasons import RouteReason
from canarium.core.context.router import Fault
from canarium.core.facts.gateways import Gateway, Route

if TYPE_CHECKING:
    from canarium.core.context.context import Situation


def wanting(s: Situation, kind: str) -> Fault | None:
    """What would keep any route of ours from being taken, seen before one is written: then the
    one that is there stays as it is."""
    refused = _refused(s, kind)
    if refused:
        return refused
    for gateway in s.observed.gateways:
        fault = _closed(gateway) or _unable(s, gateway)
        if fault:
            return fault
    for revision in (s.stable, s.target):
        deployment = s.observed.deployment(revision)
        if kind == "GRPCRoute" and deployment and "grpc" not in deployment.ports:
            text = f"revision {revision} has no port named grpc: add it to spec.runtime.ports"
            return Fault(RouteReason.NO_GRPC_PORT, text)
    return None


def writable(s: Situation, kind: str) -> bool:
    """Whether the API server would take a route, whatever a gateway makes of it."""
    return _refused(s, kind) is None


def _refused(s: Situation, kind: str) -> Fault | None:
    if s.observed.unserved:
        return Fault(*s.observed.unserved)
    rejection = s.observed.refused(f"{kind} {s.name}")
    if rejection:
        conflict = rejection.conflict
        reason = RouteReason.NAME_CONFLICT if conflict else RouteReason.ROUTE_INVALID
        return Fault(reason, f"{rejection.what}: {rejection.message}", rejection)
    return None


def answered(route: Route | None) -> Fault | None:
    """What a gateway said against the route as it is now."""
    return Fault(*route.refusal) if route and route.refusal else None


def _closed(gateway: Gateway) -> Fault | None:
    if not gateway.found:
        return Fault(RouteReason.GATEWAY_NOT_FOUND, f"there is no Gateway {gateway}")
    chosen = [
        listener
        for listener in gateway.listeners
        if gateway.section in (None, listener.name) and gateway.port in (None, listener.port)
    ]
    if not chosen:
        where = gateway.section or gateway.port
        return Fault(RouteReason.NO_MATCHING_PARENT, f"Gateway {gateway} has no listener {where}")
    if not gateway.own and all(listener.allowed == "Same" for listener in chosen):
        text = f"Gateway {gateway} takes routes of its own namespace only"
        return Fault(
            RouteReason.NOT_ALLOWED_BY_LISTENERS,
            f"{text}: set allowedRoutes.namespaces on a listener",
        )
    return None


def _unable(s: Situation, gateway: Gateway) -> Fault | None:
    """A feature that the Gateway's class does not name among those that it has."""
    wanted = s.settings.route
    if gateway.features is None or wanted is None:
        return None
    for feature, field in wanted.needs:
        if feature not in gateway.features:
            text = f"{field} needs {feature}, which the class of Gateway {gateway} does not have"
            return Fault(RouteReason.UNSUPPORTED_BY_GATEWAY, text)
    return None


def lost(s: Situation, wanted: str | None) -> bool:
    """Whether somebody deleted the route of a rollout while the spec asks for another router:
    with it went the settings to make it by. What is left has to be fit for any router: callers
    inside on one version, and a colour for each that runs."""
    told, observed = s.status.route, s.observed
    if told is None or told.kind == wanted or observed.route or observed.unserved:
        return False
    colors = {d.color: d.revision for d in observed.deployments}
    pods = {(p.color, p.revision) for p in observed.pods}
    return (
        bool(observed.service and observed.service.color)
        and len(colors) == len(observed.deployments)
        and pods <= colors.items()
    )
