"""How callers reach a model, with every default filled in.

Resolved from raw settings, not from their pydantic model: a live route carries the settings that it
was made from as an annotation (R12), and those are rendered as they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from canarium.api.defaults import ROUTER
from canarium.api.route_kind import GRPC_ROUTE, HTTP_ROUTE, VIRTUAL_SERVICE, RouteKind

Raw = Mapping[str, Any]
SERVICE_PORT = 80
#: Header of requests for the candidate, and of answers, which name their revision.
REVISION_HEADER = "x-canarium-revision"
CANDIDATE_VALUE = "candidate"
#: Value of `spec.traffic.distribution`.
SAME_ZONE = "PreferSameZone"


@dataclass(frozen=True, slots=True)
class EffectiveRoute:
    """The route that splits traffic."""

    #: The kind of its object.
    kind: RouteKind
    #: Name and value of the header that leads to the candidate; None: no header does.
    header: tuple[str, str] | None = None
    #: Whether requests are mirrored to the candidate at weight 0, and how many percent of them;
    #: None: as many as the router mirrors by default, which is all.
    mirror: bool = False
    mirror_percent: int | None = None
    #: Whether answers carry the revision that gave them.
    response_headers: bool = True
    #: Hosts of the route; empty: those of the listeners, or the model's own Service in a mesh.
    hosts: tuple[str, ...] = ()
    #: Raw `parentRefs` of the Gateway API.
    parents: tuple[Raw, ...] = ()
    #: Gateways of Istio, `mesh` for its sidecars.
    gateways: tuple[str, ...] = ()
    #: Prefix of paths; None: all.
    path_prefix: str | None = None
    #: What replaces it; None: the path is kept.
    rewrite_prefix: str | None = None
    #: Durations of the spec by the names of the Gateway API; Istio has `request` alone.
    timeouts: tuple[tuple[str, str], ...] = ()
    #: Features of the Gateway API that it needs, each with the field that asks for it.
    needs: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class EffectiveTraffic:
    """The Service's port, and the route before it."""

    router: str = ROUTER
    port: int = SERVICE_PORT
    #: None: the model's Service alone splits traffic.
    route: EffectiveRoute | None = None
    #: Which endpoints callers prefer; None: all alike.
    distribution: str | None = None


def route_kind(traffic: Raw | None) -> RouteKind | None:
    """Returns the kind of route that raw `spec.traffic` asks for, if any."""
    traffic = traffic or {}
    if traffic.get("router") == "Istio":
        return VIRTUAL_SERVICE
    if traffic.get("router") != "Gateway":
        return None
    grpc = (traffic.get("gateway") or {}).get("protocol") == "GRPC"
    return GRPC_ROUTE if grpc else HTTP_ROUTE


def effective_traffic(traffic: Raw | None) -> EffectiveTraffic:
    """Returns raw `spec.traffic` with its defaults."""
    traffic = traffic or {}
    kind = route_kind(traffic)
    settings = traffic.get("istio" if kind == VIRTUAL_SERVICE else "gateway")
    route = _route(kind, settings) if kind and settings is not None else None
    return EffectiveTraffic(
        router=traffic.get("router") or ROUTER,
        port=traffic.get("port") or SERVICE_PORT,
        route=route,
        distribution=traffic.get("distribution"),
    )


def _route(kind: RouteKind, settings: Raw) -> EffectiveRoute:
    match, mirror = settings.get("headerMatch") or {}, settings.get("mirror")
    header = match.get("name") or REVISION_HEADER, match.get("value") or CANDIDATE_VALUE
    istio = kind == VIRTUAL_SERVICE
    timeouts = {"request": settings.get("timeout")} if istio else settings.get("timeouts") or {}
    percent = (mirror or {}).get("percent")
    return EffectiveRoute(
        kind=kind,
        header=None if match.get("enabled") is False else header,
        mirror=mirror is not None,
        mirror_percent=(percent or 100) if istio else percent,
        response_headers=settings.get("responseHeaders") is not False,
        hosts=tuple(settings.get("hosts" if istio else "hostnames") or ()),
        parents=tuple(settings.get("parentRefs") or ()),
        gateways=tuple(settings.get("gateways") or ("mesh",)) if istio else (),
        path_prefix=settings.get("pathPrefix") or None,
        rewrite_prefix=settings.get("rewritePrefix") or None,
        timeouts=tuple((name, value) for name, value in timeouts.items() if value),
        needs=() if istio else tuple(_needs(settings)),
    )


def _needs(gateway: Raw) -> Iterator[tuple[str, str]]:
    """Yields the extended features: those that a Gateway may lack (Gateway API, pkg/features)."""
    at = "spec.traffic.gateway"
    if gateway.get("protocol") == "GRPC":
        yield "GRPCRoute", f"{at}.protocol"
        return  # The Gateway API defines no feature names for GRPCRoute.
    if gateway.get("responseHeaders") is not False:
        yield "HTTPRouteResponseHeaderModification", f"{at}.responseHeaders"
    if gateway.get("rewritePrefix") is not None:
        yield "HTTPRoutePathRewrite", f"{at}.rewritePrefix"
    mirror = gateway.get("mirror")
    if mirror is not None:
        yield "HTTPRouteRequestMirror", f"{at}.mirror"
        if mirror.get("percent") is not None:
            yield "HTTPRouteRequestPercentageMirror", f"{at}.mirror.percent"
    timeouts = gateway.get("timeouts") or {}
    if timeouts.get("request"):
        yield "HTTPRouteRequestTimeout", f"{at}.timeouts.request"
    if timeouts.get("backendRequest"):
        yield "HTTPRouteBackendTimeout", f"{at}.timeouts.backendRequest"
    if any(parent.get("port") is not None for parent in gateway.get("parentRefs") or ()):
        yield "HTTPRouteParentRefPort", f"{at}.parentRefs"
