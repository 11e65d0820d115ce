"""The Services of a gateway, and which addresses are those of the cluster.

An address of the cluster is that of something else on this machine, if of anything. So a request,
with its body and credentials, is sent to an address only if no Service can have it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

from canarium.view.entrances import (
    GATEWAY_LABEL,
    addresses,
    cluster_addresses,
    external_addresses,
    ip_of,
    is_private,
    is_service_name,
    is_service_of,
    selects,
    takes,
)
from canarium.view.objects import Raw, part, text
from canarium_cli.exits import Forbidden
from canarium_cli.kubectl import Kubectl

_EVERYWHERE = "--all-namespaces"
#: The words of a read in a namespace.
_Read = tuple[Kubectl, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class GatewayServices:
    """The Services of a gateway, also those without pods. `complete`: no read was forbidden."""

    services: tuple[Raw, ...]
    complete: bool = True

    @property
    def outside(self) -> tuple[str, ...]:
        """The addresses from outside of the cluster."""
        return tuple(x for service in self.services for x in external_addresses(service))

    def at(self, port: int) -> Raw | None:
        """Returns the first Service with pods that has a port."""
        return next((service for service in self.services if takes(service, port)), None)

    def has_inside(self, address: str) -> bool:
        """Whether an address is known to be one of the cluster."""
        return is_service_name(address) or any(
            address in cluster_addresses(service) for service in self.services
        )

    def is_unexplained(self, address: str) -> bool:
        """Whether an address may be one of the cluster for all that these Services show."""
        known = self.has_inside(address) or address in self.outside
        return not known and is_private(address)


def services_of(kubectl: Kubectl, gateway: Raw, ports: Collection[int]) -> GatewayServices:
    """Reads the Services of a Gateway of the Gateway API.

    Of all Services in the cluster, which may be many, only those that it can have are read, until
    they have all `ports` and explain its addresses.
    """
    behind = GatewayServices(())
    for read in _reads(kubectl, gateway):
        behind = _with(behind, gateway, read)
        if all(map(behind.at, ports)) and not any(map(behind.is_unexplained, addresses(gateway))):
            return behind
    if behind.complete and any(map(behind.is_unexplained, addresses(gateway))):
        # No field selector takes the second address of a Service that has two.
        others = "--field-selector=spec.type!=LoadBalancer,spec.type!=ExternalName"
        behind = _with(behind, gateway, (kubectl, (_EVERYWHERE, others)))
    return behind


def _with(behind: GatewayServices, gateway: Raw, read: _Read) -> GatewayServices:
    """Adds what one read shows of a gateway's Services."""
    where, words = read
    try:
        listed = where.get("services", *words)
    except Forbidden:
        return replace(behind, complete=False)
    more = [one for one in listed if is_service_of(gateway, one) and one not in behind.services]
    return replace(behind, services=(*behind.services, *more))


def _reads(kubectl: Kubectl, gateway: Raw) -> Iterator[_Read]:
    """Yields where the Services of a Gateway can be, the likely place first."""
    name, namespace = (text(part(gateway, "metadata"), x) for x in ("name", "namespace"))
    yield kubectl.within(namespace), (f"--selector={GATEWAY_LABEL}={name}",)
    for address in addresses(gateway):
        if is_service_name(address):
            service, space, *_ = address.split(".")
            yield kubectl.within(space), (f"--field-selector=metadata.name={service}",)
        elif ip_of(address):
            yield kubectl, (_EVERYWHERE, f"--field-selector=spec.clusterIP={address}")
    yield kubectl, (_EVERYWHERE, "--field-selector=spec.type=LoadBalancer")


def services_of_istio(kubectl: Kubectl, gateway: Raw) -> GatewayServices:
    """Reads the Services of the pods that a Gateway of Istio selects; they have its labels."""
    labels = selects(gateway)
    if not labels:
        return GatewayServices(())
    selector = "--selector=" + ",".join(f"{name}={value}" for name, value in labels.items())
    own = kubectl.within(text(part(gateway, "metadata"), "namespace"))
    complete, listed = True, list[Raw]()
    for where, words in ((kubectl, (_EVERYWHERE, selector)), (own, (selector,))):
        try:
            listed = where.get("services", *words)
            break
        except Forbidden:
            complete = False
    selected = [x for x in listed if labels.items() <= dict(part(x, "spec", "selector")).items()]
    return GatewayServices(tuple(selected), complete)
