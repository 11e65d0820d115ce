"""The way to a model through its route: to the address that a gateway reports, or, where this
machine does not reach that, through `kubectl port-forward` to the Service of the gateway."""

from __future__ import annotations

import socket
from dataclasses import dataclass

from canarium.api.effective_traffic import REVISION_HEADER
from canarium.view.entrances import (
    Entrance,
    Reference,
    addresses,
    adds_header,
    entrances,
    path_to,
    references,
)
from canarium.view.objects import Raw, part, text
from canarium_cli.exits import unreachable, usage
from canarium_cli.gateway_services import services_of, services_of_istio
from canarium_cli.kubectl import Kubectl
from canarium_cli.reads import traffic_object
from canarium_cli.requests import Address, Forward, Sender

_GATEWAYS = "gateways.gateway.networking.k8s.io"
_ISTIO_GATEWAYS = "gateways.networking.istio.io"
#: Seconds to connect to the address of a gateway.
_PATIENCE = 3.0
_OTHERWISE = "Pass --address with an address of the gateway that this machine reaches."


@dataclass(frozen=True, slots=True)
class RouteWay:
    """A way through a route, and the path at which it takes a request."""

    sender: Sender
    path: str
    #: Whether the route adds the revision to each answer of the model.
    marked: bool


def way_through_route(kubectl: Kubectl, model: Raw, path: str) -> RouteWay:
    """Returns the way on which a request reaches the server at `path`.

    Raises CliError where the model has no route for HTTP, or no gateway of it can be reached.
    """
    name = text(part(model, "metadata"), "name")
    kind = text(part(model, "status", "route"), "kind")
    if not kind:
        raise usage(f"{name} has no route: its Service splits the traffic. Omit --route.")
    if kind == "GRPCRoute":
        raise usage(f"The route of {name} is for gRPC, and infer sends HTTP. Use a gRPC client.")
    route = traffic_object(kubectl, model)
    if route is None:
        raise unreachable(f"{kind}/{name} does not exist. `kubectl modeldeploy why` explains it.")
    outer = path_to(route, path)
    if not outer:
        raise usage(f"{kind}/{name} has no path that reaches {path}. Pass --path.")
    named = references(route)
    if not named:
        raise usage(
            f"{kind}/{name} is for callers in the mesh only. Send the request from a pod there."
        )
    tried: list[str] = []
    for reference in named:
        sender = _sender(kubectl, route, reference, tried)
        if sender:
            return RouteWay(sender, outer, adds_header(route, REVISION_HEADER))
    causes = "; ".join(dict.fromkeys(tried))
    raise unreachable(f"No gateway of {name} can be reached: {causes}. {_OTHERWISE}")


def _sender(kubectl: Kubectl, route: Raw, reference: Reference, tried: list[str]) -> Sender | None:
    """The way through one gateway; None, with what was `tried`, where there is none."""
    shown = f"gateway/{reference.name} (namespace {reference.namespace})"
    istio = text(route, "kind") == "VirtualService"
    kind = _ISTIO_GATEWAYS if istio else _GATEWAYS
    listed = kubectl.within(reference.namespace).get(kind, reference.name, may_be_missing=True)
    if not listed:
        tried.append(f"{shown} does not exist")
        return None
    gateway = listed[0]
    ways = entrances(route, reference, gateway)
    if not ways:
        tried.append(f"{shown} has no HTTP listener for its hosts")
        return None
    behind = (
        services_of_istio(kubectl, gateway)
        if istio
        else services_of(kubectl, gateway, {entrance.port for entrance in ways})
    )
    for entrance in ways:
        for address in dict.fromkeys((*addresses(gateway), *behind.outside)):
            if behind.has_inside(address):
                continue
            if behind.is_unexplained(address) and not behind.complete:
                tried.append(
                    f"{shown} at {address} may be an address of the cluster, and you may not list "
                    "the Services that would show it"
                )
                continue
            if _connects(address, entrance.port):
                return Address(_url(address, entrance), entrance.host)
            tried.append(f"{shown} at {address}:{entrance.port} accepts no connection from here")
        service = behind.at(entrance.port)
        if service:
            meta = part(service, "metadata")
            where = kubectl.within(text(meta, "namespace"))
            target = f"service/{text(meta, 'name')}"
            return Forward(where, target, entrance.port, host=entrance.host, secure=entrance.secure)
        among = "" if behind.complete else " among those that you may list"
        tried.append(f"{shown} has no Service with pods and port {entrance.port}{among}")
    return None


def _connects(address: str, port: int) -> bool:
    """Whether something listens at an address; nothing does at a name that is not valid."""
    try:
        socket.create_connection((address, port), timeout=_PATIENCE).close()
    except (OSError, UnicodeError):
        return False
    return True


def _url(address: str, entrance: Entrance) -> str:
    host = f"[{address}]" if ":" in address else address
    return f"{'https' if entrance.secure else 'http'}://{host}:{entrance.port}"
