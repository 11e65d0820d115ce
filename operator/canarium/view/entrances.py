"""Where the route of a model takes requests: which gateways, addresses, ports, hosts and paths.

`Entrance` is a listener of a Gateway of the Gateway API, or a server of a Gateway of Istio. The
Service of a gateway is recognised by its addresses, and by the label of generated gateways
(https://gateway-api.sigs.k8s.io/geps/gep-1762/).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address

from canarium.view.objects import Raw, items, number, part, text

#: The label of what a controller generates for a Gateway, in the same namespace.
GATEWAY_LABEL = "gateway.networking.k8s.io/gateway-name"
#: The gateway of Istio that stands for the sidecars.
MESH = "mesh"
#: Protocol of a listener → whether it is over TLS.
_PROTOCOLS = {"HTTP": False, "HTTP2": False, "HTTPS": True}


@dataclass(frozen=True, slots=True)
class Reference:
    """A Gateway as a route names it; `section` and `port` choose among its listeners."""

    namespace: str
    name: str
    section: str = ""
    port: int = 0


@dataclass(frozen=True, slots=True)
class Entrance:
    """A port at which a gateway takes requests for a host; an empty host is any."""

    port: int
    host: str
    secure: bool


def references(route: Raw) -> tuple[Reference, ...]:
    """Returns the Gateways that a route names, without that of a mesh."""
    own = text(part(route, "metadata"), "namespace")
    if text(route, "kind") == "VirtualService":
        names = part(route, "spec").get("gateways")
        listed = [x for x in names if isinstance(x, str)] if isinstance(names, list) else []
        places = [name.rpartition("/") for name in listed if name != MESH]
        return tuple(Reference(namespace or own, name) for namespace, _, name in places)
    return tuple(
        Reference(
            text(ref, "namespace") or own,
            text(ref, "name"),
            text(ref, "sectionName"),
            number(ref, "port"),
        )
        for ref in items(part(route, "spec"), "parentRefs")
    )


def entrances(route: Raw, reference: Reference, gateway: Raw) -> tuple[Entrance, ...]:
    """Returns where a gateway takes requests for a route, those with TLS first: on the others,
    credentials are sent in clear text."""
    listed = [
        Entrance(port, _concrete(host, text(part(route, "metadata"), "name")), secure)
        for port, secure, hosts in _listeners(reference, gateway)
        if (host := _common(_hosts(route), hosts)) is not None
    ]
    return tuple(sorted(listed, key=lambda one: not one.secure))


def addresses(gateway: Raw) -> tuple[str, ...]:
    """Returns the addresses that a Gateway reports."""
    listed = items(part(gateway, "status"), "addresses")
    return tuple(value for one in listed if (value := text(one, "value")))


def external_addresses(service: Raw) -> tuple[str, ...]:
    """Returns the addresses of a Service from outside of the cluster."""
    ingress = items(part(service, "status", "loadBalancer"), "ingress")
    return tuple(value for one in ingress if (value := text(one, "ip") or text(one, "hostname")))


def cluster_addresses(service: Raw) -> frozenset[str]:
    """Returns the addresses of a Service within the cluster: one of each family that it has."""
    spec = part(service, "spec")
    listed = spec.get("clusterIPs")
    every = (spec.get("clusterIP"), *(listed if isinstance(listed, list) else ()))
    return frozenset(one for one in every if isinstance(one, str)) - {"", "None"}


def ip_of(address: str) -> IPv4Address | IPv6Address | None:
    """Returns an address as an IP address; None for a host name."""
    try:
        return ip_address(address)
    except ValueError:
        return None


def is_private(address: str) -> bool:
    """Returns whether an address is an IP address that a Service in the cluster may have: one that
    is not routed on the Internet."""
    ip = ip_of(address)
    return ip is not None and not ip.is_global


def is_service_name(address: str) -> bool:
    """Returns whether an address is the DNS name of a Service: `name.namespace.svc` and the domain
    of the cluster."""
    return address.split(".")[2:3] == ["svc"]


def is_service_of(gateway: Raw, service: Raw) -> bool:
    """Returns whether a Service was generated for a Gateway, or has an address that it reports."""
    meta, its = part(gateway, "metadata"), part(service, "metadata")
    space, name = text(its, "namespace"), text(its, "name")
    generated_for = part(its, "labels").get(GATEWAY_LABEL)
    if (space, generated_for) == (text(meta, "namespace"), text(meta, "name")):
        return True
    own = {*cluster_addresses(service), *external_addresses(service)}
    # Istio reports the name of a Service that has no address outside of the cluster.
    return any(
        one in own or (is_service_name(one) and one.startswith(f"{name}.{space}."))
        for one in addresses(gateway)
    )


def takes(service: Raw, port: int) -> bool:
    """Returns whether a Service has pods and a port."""
    spec = part(service, "spec")
    ports = {number(one, "port") for one in items(spec, "ports")}
    return bool(part(spec, "selector")) and port in ports


def path_to(route: Raw, path: str) -> str:
    """Returns the path of a request that reaches the server as `path`; empty if none does."""
    prefix, rewrite = _prefixes(route)
    if not prefix:
        return path
    inner = prefix if rewrite is None else rewrite
    rest = path.removeprefix(inner.rstrip("/"))
    if not path.startswith(inner.rstrip("/")) or rest[:1] not in ("", "/", "?"):
        return ""
    return f"{prefix.rstrip('/')}{rest}" or "/"


def _prefixes(route: Raw) -> tuple[str, str | None]:
    """Returns the prefix of paths that the rule for all callers takes, and what replaces it."""
    spec = part(route, "spec")
    if text(route, "kind") == "VirtualService":
        rule = next(iter(items(spec, "http")[-1:]), {})
        prefix = text(part(_first(rule, "match"), "uri"), "prefix")
        return prefix, text(part(rule, "rewrite"), "uri") or None
    rule = next((x for x in items(spec, "rules") if not _asks(x)), {})
    paths = [part(one, "urlRewrite", "path") for one in items(rule, "filters")]
    rewrites = [text(one, "replacePrefixMatch") for one in paths if one]
    prefix = text(part(_first(rule, "matches"), "path"), "value")
    return prefix, rewrites[0] if rewrites else None


def _asks(rule: Raw) -> bool:
    """Returns whether a rule is only for requests with a header."""
    return any(items(match, "headers") for match in items(rule, "matches"))


def _first(raw: Raw, name: str) -> Raw:
    return next(iter(items(raw, name)), {})


def _listeners(reference: Reference, gateway: Raw) -> Iterator[tuple[int, bool, tuple[str, ...]]]:
    """Yields port, TLS and hosts of each listener that a route may use."""
    spec = part(gateway, "spec")
    for server in items(spec, "servers"):
        its, hosts = part(server, "port"), server.get("hosts")
        protocol = text(its, "protocol").upper()
        if protocol in _PROTOCOLS and isinstance(hosts, list):
            # Istio writes `namespace/host`.
            names = [str(host).rpartition("/")[2] for host in hosts]
            served = tuple("" if name == "*" else name for name in names)
            yield number(its, "number"), _PROTOCOLS[protocol], served
    for one in items(spec, "listeners"):
        port, protocol = number(one, "port"), text(one, "protocol")
        wanted = reference.section in ("", text(one, "name")) and reference.port in (0, port)
        if wanted and protocol in _PROTOCOLS:
            yield port, _PROTOCOLS[protocol], (text(one, "hostname"),)


def _hosts(route: Raw) -> tuple[str, ...]:
    spec = part(route, "spec")
    listed = spec.get("hostnames") or spec.get("hosts")
    names = [x for x in listed if isinstance(x, str)] if isinstance(listed, list) else []
    return tuple("" if name == "*" else name for name in names) or ("",)


def _common(route: Iterable[str], listener: Iterable[str]) -> str | None:
    """Returns a host that both take, the more specific of the two; None if they exclude each
    other."""
    theirs = tuple(listener)
    for one in route:
        for other in theirs:
            for special, general in ((one, other), (other, one)):
                if general in ("", special) or (
                    general.startswith("*.") and special.endswith(general[1:])
                ):
                    return special
    return None


def _concrete(host: str, name: str) -> str:
    """Returns a host that a wildcard stands for."""
    return host.replace("*", name, 1)


def adds_header(route: Raw, name: str) -> bool:
    """Returns whether a route sets a header of each answer; a match of requests sets none."""
    spec = part(route, "spec")
    if text(route, "kind") == "VirtualService":
        targets = [one for rule in items(spec, "http") for one in items(rule, "route")]
        added = [list(part(one, "headers", "response", "set")) for one in targets]
    else:
        targets = [one for rule in items(spec, "rules") for one in items(rule, "backendRefs")]
        added = [
            [
                text(header, "name")
                for one in items(target, "filters")
                for header in items(part(one, "responseHeaderModifier"), "set")
            ]
            for target in targets
        ]
    return bool(added) and all(name in map(str.lower, names) for names in added)


def selects(gateway: Raw) -> Mapping[str, str]:
    """Returns the labels of the pods of a Gateway of Istio."""
    return {str(k): str(v) for k, v in part(gateway, "spec", "selector").items()}
