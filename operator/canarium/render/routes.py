"""Renders the objects of a weighted router: the Service of each revision, and the route.

A kind of route is a function from model, settings and `Split` to its manifest; `RENDERED` has them
all.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from canarium.api.effective_traffic import EffectiveTraffic
from canarium.api.route_kind import GRPC_ROUTE, HTTP_ROUTE, VIRTUAL_SERVICE, RouteKind
from canarium.render import gateway, istio, labels
from canarium.render.traffic_split import Split
from canarium.render.workload import Manifest, head_of

RENDERED: Mapping[RouteKind, Callable[[Mapping[str, Any], EffectiveTraffic, Split], Manifest]] = {
    HTTP_ROUTE: gateway.http_route,
    GRPC_ROUTE: gateway.grpc_route,
    VIRTUAL_SERVICE: istio.virtual_service,
}


def backend(
    parent: Mapping[str, Any],
    traffic: EffectiveTraffic,
    revision: str,
    distribution: Manifest | None = None,
) -> Manifest:
    """Returns the Service of one revision, a backend of the route."""
    model = parent["metadata"]["name"]
    port: Manifest = {
        "name": "http",
        "port": traffic.port,
        "targetPort": "http",
        "protocol": "TCP",
    }
    if traffic.route and traffic.route.kind == GRPC_ROUTE:
        port |= {"name": "grpc", "targetPort": "grpc", "appProtocol": "kubernetes.io/h2c"}
    return {
        **head_of(parent, "v1", "Service", revision),
        "spec": {
            "selector": {labels.MODEL: model, labels.REVISION: revision},
            "ports": [port],
            **(distribution or {}),
        },
    }
