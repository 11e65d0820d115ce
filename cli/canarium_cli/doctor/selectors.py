"""NetworkPolicies, as Kubernetes evaluates them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address, ip_network

from canarium.core.facts.label_selectors import Labels, selects
from canarium.view.objects import Raw, items, part, text


@dataclass(frozen=True, slots=True)
class Peer:
    """A pod, or an address outside the cluster, at one end of a connection."""

    namespace: str = ""
    namespace_labels: Labels | None = None
    labels: Labels | None = None
    addresses: tuple[str, ...] = ()


def selecting(policies: Iterable[Raw], pod: Labels, direction: str) -> list[Raw]:
    """The NetworkPolicies that select a pod for `Ingress` or `Egress`."""
    selecting_policies = []
    for policy in policies:
        spec = part(policy, "spec")
        types = spec.get("policyTypes") or ["Ingress", *(["Egress"] if "egress" in spec else [])]
        if (
            isinstance(types, list)
            and direction in types
            and selects(part(spec, "podSelector"), pod)
        ):
            selecting_policies.append(policy)
    return selecting_policies


def admits(policy: Raw, direction: str, peer: Peer, ports: tuple[int | str, ...]) -> bool:
    """Whether a rule of the policy admits a connection with `peer` to one of `ports`.

    Without `ports`, any port will do.
    """
    key, side = ("ingress", "from") if direction == "Ingress" else ("egress", "to")
    home = text(part(policy, "metadata"), "namespace")
    return any(
        _port(rule, ports) and _side(items(rule, side), peer, home)
        for rule in items(part(policy, "spec"), key)
    )


def _port(rule: Raw, ports: tuple[int | str, ...]) -> bool:
    listed = [one for one in items(rule, "ports") if text(one, "protocol") in ("", "TCP")]
    if not items(rule, "ports"):
        return True
    if not ports:
        return bool(listed)
    for one in listed:
        port, end = one.get("port"), one.get("endPort")
        if port is None or port in ports:
            return True
        numbers = [x for x in ports if isinstance(x, int)]
        if (
            isinstance(port, int)
            and isinstance(end, int)
            and any(port <= x <= end for x in numbers)
        ):
            return True
    return False


def _side(peers: tuple[Raw, ...], peer: Peer, home: str) -> bool:
    return not peers or any(_is(one, peer, home) for one in peers)


def _is(rule: Raw, peer: Peer, home: str) -> bool:
    if "ipBlock" in rule:
        block = part(rule, "ipBlock")
        outside = block.get("except") or []
        assert isinstance(outside, list)
        return any(
            _within(address, text(block, "cidr"))
            and not any(_within(address, str(one)) for one in outside)
            for address in peer.addresses
        )
    if peer.labels is None:
        return False
    if "namespaceSelector" in rule:
        # Namespaces whose labels may not be read could match.
        labels = peer.namespace_labels
        if labels is not None and not selects(part(rule, "namespaceSelector"), labels):
            return False
    elif peer.namespace != home:
        return False
    return selects(part(rule, "podSelector"), peer.labels)


def _within(address: str, network: str) -> bool:
    try:
        return ip_address(address) in ip_network(network, strict=False)
    except ValueError:
        return False
