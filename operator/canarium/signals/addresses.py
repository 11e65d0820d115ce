"""Decides which network addresses the operator connects to on behalf of users.

Users name hosts, and the operator runs where users do not: next to its own servers (loopback) and
to a cloud's metadata service, whose answers are credentials. Theory of operation:

* An address is judged, never a name. Names and the legacy forms of IPv4 (decimal, octal, hex) are
  resolved first, and the check runs once more on the very address that a socket connects to, so
  that a name that changes between two lookups (DNS rebinding) gains nothing.
* An IPv6 address may carry an IPv4 address that a kernel, a NAT64 gateway, or a tunnel unwraps.
  Every form that an address can stand for must be acceptable, not only the outermost.
* An administrator's `allowed` wins over everything, then `refused` over the rest. Private ranges
  are not refused by default: that is where a cluster's Prometheus is.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import ClassVar

IpAddress = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: What answers there is the platform's, not a user's. Each with the reason that users are shown.
_REFUSED: tuple[tuple[str, str], ...] = (
    ("0.0.0.0/8", "unspecified"),
    ("127.0.0.0/8", "loopback"),
    ("169.254.0.0/16", "link-local"),  # metadata of AWS, Google, Azure, Oracle, OpenStack, …
    ("224.0.0.0/4", "multicast"),
    ("255.255.255.255/32", "broadcast"),
    ("168.63.129.16/32", "metadata"),  # Azure's host agent
    ("100.100.100.200/32", "metadata"),  # Alibaba Cloud
    ("192.0.0.0/24", "metadata"),  # Oracle Cloud (192.0.0.192); IETF protocol assignments
    ("::/128", "unspecified"),
    ("::1/128", "loopback"),
    ("fe80::/10", "link-local"),
    ("ff00::/8", "multicast"),
    ("fd00:ec2::/32", "metadata"),  # AWS: instance metadata, pod identity, time, DNS
    ("fd20:ce::/32", "metadata"),  # Google Cloud
    ("fd00:42::42/128", "metadata"),  # Scaleway
    ("fd00:c1::/32", "metadata"),  # Oracle Cloud
    ("fd00:a9fe:a9fe::/48", "metadata"),  # Akamai (Linode)
    ("fd00:100::100:200/128", "metadata"),  # Alibaba Cloud
)
_DEFAULTS = tuple((ipaddress.ip_network(network), kind) for network, kind in _REFUSED)

_NAT64 = IPv6Network("64:ff9b::/96")
#: RFC 8215: an operator may use any prefix length of RFC 6052 below it.
_NAT64_LOCAL = IPv6Network("64:ff9b:1::/48")
_TRANSLATED = IPv6Network("::ffff:0:0:0/96")
_COMPATIBLE = IPv6Network("::/96")
_ISATAP = (0x00005EFE, 0x02005EFE)


def parse(host: str) -> IpAddress | None:
    """Returns the address that `host` is, None for a name.

    Forms that only a resolver accepts, such as 2130706433, 0x7f.1 and 017700000001, count too.
    """
    bare = host.strip("[]")
    try:
        return ipaddress.ip_address(bare)
    except ValueError:
        pass
    try:
        return IPv4Address(socket.inet_aton(bare)) if bare and " " not in bare else None
    except OSError:
        return None


def forms(address: IpAddress) -> Iterator[IpAddress]:
    """Yields `address` and every IPv4 address that it may be unwrapped to."""
    yield address
    if isinstance(address, IPv4Address):
        return
    number, low = int(address), IPv4Address(int(address) & 0xFFFFFFFF)
    if address.ipv4_mapped:
        yield address.ipv4_mapped
    elif address in _NAT64 or address in _TRANSLATED or (address in _COMPATIBLE and number > 1):
        yield low
    if address in _NAT64_LOCAL:
        yield from (_rfc6052(number, length) for length in (48, 56, 64, 96))
    if address.sixtofour:
        yield address.sixtofour
    if address.teredo:
        yield from address.teredo
    if (number >> 32) & 0xFFFFFFFF in _ISATAP:
        yield low


def _rfc6052(number: int, length: int) -> IPv4Address:
    """Returns the IPv4 address behind a prefix of `length` bits; bits 64 to 71 are never part of
    it."""
    if length == 96:
        return IPv4Address(number & 0xFFFFFFFF)
    octets = number.to_bytes(16, "big")
    without = octets[:8] + octets[9:]
    return IPv4Address(without[length // 8 : length // 8 + 4])


@dataclass(frozen=True, slots=True)
class AddressPolicy:
    """What an administrator adds to the defaults: networks, and hosts by the name in a URL."""

    allowed: frozenset[Network] = frozenset()
    allowed_hosts: frozenset[str] = frozenset()
    refused: frozenset[Network] = frozenset()

    DEFAULT: ClassVar[AddressPolicy]

    @classmethod
    def of(cls, allowed: tuple[str, ...] = (), refused: tuple[str, ...] = ()) -> AddressPolicy:
        """Returns the policy for entries that are a CIDR, an address, or (`allowed` only) a host.

        Raises ValueError for an entry that is none of these.
        """
        networks, hosts = set(), set()
        for entry in allowed:
            try:
                networks.add(ipaddress.ip_network(entry.strip("[]")))
            except ValueError:
                if "/" in entry or not _is_name(entry):
                    raise ValueError(f"{entry!r} is not a CIDR, an address, or a host") from None
                hosts.add(_canonical(entry))
        return cls(
            frozenset(networks),
            frozenset(hosts),
            frozenset(ipaddress.ip_network(entry.strip("[]")) for entry in refused),
        )

    def without_additions(self) -> AddressPolicy:
        """Returns the policy for pods, whose addresses come from the cluster and not from users."""
        return AddressPolicy(self.allowed)

    def allows_host(self, host: str) -> bool:
        """Returns whether an administrator allowed `host` by name, with any address."""
        return _canonical(host) in self.allowed_hosts

    def refusal(self, address: IpAddress) -> str | None:
        """Returns why nothing connects to `address`, in one word, or None."""
        for form in forms(address):
            if _within(form, self.allowed):
                continue
            if _within(form, self.refused):
                return "refused by the administrator"
            for network, kind in _DEFAULTS:
                if form.version == network.version and form in network:
                    return kind
        return None


AddressPolicy.DEFAULT = AddressPolicy()


def _within(address: IpAddress, networks: frozenset[Network]) -> bool:
    return any(n.version == address.version and address in n for n in networks)


def _canonical(host: str) -> str:
    return host.rstrip(".").lower()


def _is_name(text: str) -> bool:
    return bool(text) and all(c.isalnum() or c in "-._" for c in text) and parse(text) is None


def authority(host: str, port: int) -> str:
    """Returns `host:port` for a URL or a log, with an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
