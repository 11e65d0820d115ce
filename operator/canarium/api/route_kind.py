"""The kinds of routes that split traffic.

The same name of a kind occurs in several API groups, such as HTTPRoute of the Gateway API and of
Linkerd, so a kind is known by both.
"""

from __future__ import annotations

from typing import NamedTuple


class RouteKind(NamedTuple):
    """A kind of route; as text only the kind, which is what people read."""

    group: str
    kind: str

    def __str__(self) -> str:
        return self.kind


HTTP_ROUTE = RouteKind("gateway.networking.k8s.io", "HTTPRoute")
GRPC_ROUTE = RouteKind("gateway.networking.k8s.io", "GRPCRoute")
VIRTUAL_SERVICE = RouteKind("networking.istio.io", "VirtualService")
