"""The way to a model through its route: to the address that a gateway reports, or, where this
machine does not reach that, through `kubectl port-forward` to the Service of the gateway."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass

from canarium.api.effective_traffic import REVISION_HEADER
from canarium.view.entrances import (
    GATEWAY_LABEL,
    Entrance,
    Reference,
    addresses,
    adds_header,
    entrances,
    external_addresses,
    path_to,
    references,
    selects,
    service_of,
)
from canarium.view.objects import Raw, part, text
from canarium_cli.exits import Forbidden, unreachable, usage
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
    raise unreachable(f"No gateway of {name} can be reached: {'; '.join(tried)}. {_OTHERWISE}")


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
    for entrance in ways:
        services = list(_services_of_istio(kubectl, gateway)) if istio else []
        outside = [x for service in services for x in external_addresses(service)]
        behind = next(iter(services)) if services else _service(kubectl, gateway, entrance)
        # An address of the cluster is that of something else here, if of anything.
        inside = {text(part(behind, "spec"), "clusterIP")}
        for address in (*addresses(gateway), *outside):
            if address in inside or ".svc" in address:
                continue
            if _connects(address, entrance.port):
                return Address(_url(address, entrance), entrance.host)
            tried.append(f"{shown} at {address}:{entrance.port} accepts no connection from here")
        if behind:
            meta = part(behind, "metadata")
            where = kubectl.within(text(meta, "namespace"))
            target = f"service/{text(meta, 'name')}"
            return Forward(where, target, entrance.port, host=entrance.host, secure=entrance.secure)
        tried.append(f"{shown} has no Service with pods and port {entrance.port}")
    return None


def _service(kubectl: Kubectl, gateway: Raw, entrance: Entrance) -> Raw | None:
    """The Service of a gateway. Of all Services in the cluster, which may be many, only those that
    it can be are read."""
    name, namespace = (text(part(gateway, "metadata"), x) for x in ("name", "namespace"))
    everywhere = "--all-namespaces"
    generated = f"--selector={GATEWAY_LABEL}={name}"
    places: list[tuple[Kubectl, tuple[str, ...]]] = [(kubectl.within(namespace), (generated,))]
    for address in addresses(gateway):
        # A host name may be that of a Service: `name.namespace.svc` and what follows.
        label, _, rest = address.partition(".")
        space, _, zone = rest.partition(".")
        if zone.startswith("svc"):
            by_name = f"--field-selector=metadata.name={label}"
            places.append((kubectl.within(space), (by_name,)))
        else:
            places.append((kubectl, (everywhere, f"--field-selector=spec.clusterIP={address}")))
    places.append((kubectl, (everywhere, "--field-selector=spec.type=LoadBalancer")))
    for where, words in places:
        with suppress(Forbidden):
            services = where.get("services", *words)
            service = service_of(gateway, services, entrance.port)
            if service:
                return service
    return None


def _services_of_istio(kubectl: Kubectl, gateway: Raw) -> Iterator[Raw]:
    """Yields the Services of the pods that a Gateway of Istio selects; they have its labels."""
    labels = selects(gateway)
    selector = ",".join(f"{name}={value}" for name, value in labels.items())
    if not selector:
        return
    for service in kubectl.get("services", "--all-namespaces", f"--selector={selector}"):
        if labels.items() <= dict(part(service, "spec", "selector")).items():
            yield service


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
