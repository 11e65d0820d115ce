"""Which of two routes receives the requests that both claim, by the order of the Gateway API.

`core.facts.route_claims` describes that order. Only equal matches are compared here: a route that
is more or less specific than ours is so on purpose.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from canarium.core.facts.gateways import Listener, Precedence, RouteConflict
from canarium.core.facts.route_claims import (
    ANY_HOST,
    Attachment,
    Match,
    RouteClaim,
    covers,
    hosts_on,
)

#: The listeners of each Gateway; None where Gateways cannot be read.
Listeners = Mapping[tuple[str, str], tuple[Listener, ...]] | None
#: Stands for the listeners of a Gateway that cannot be read: routes are compared without them.
_UNKNOWN = Listener("", 0, "All")


def conflict(
    ours: RouteClaim, others: Iterable[RouteClaim], listeners: Listeners
) -> RouteConflict | None:
    """Returns the most important conflict of `ours`: one that it loses, else the first."""
    won = None
    for other in others:
        clash = between(ours, other, listeners)
        if clash and clash.lost:
            return clash
        # Of two models, the one that receives no requests reports the conflict.
        if clash and not other.model:
            won = won or clash
    return won


def between(ours: RouteClaim, other: RouteClaim, listeners: Listeners) -> RouteConflict | None:
    """Returns how `other` conflicts with `ours` by the Gateway API's order; None if it does not.

    A hostname of `other` beneath a wildcard of ours receives the requests for that host. That is
    not a conflict for a model without hostnames, which asks for the hosts that remain.
    """
    won = None
    for match in (match for match in ours.matches if match in other.matches):
        for our_host, their_host, place in _shared(ours, other, listeners):
            decided = _winner(ours, other, our_host, their_host)
            if decided is None:
                continue
            lost, why = decided
            clash = RouteConflict(
                kind=ours.kind,
                own=f"{ours.namespace}/{ours.name}",
                namespace=other.namespace,
                name=other.name,
                model=other.model,
                gateway="/".join(place.gateway),
                requests=_described(their_host, match),
                lost=lost,
                why=why,
            )
            if lost:
                return clash
            won = won or clash
    return won


def _winner(
    ours: RouteClaim, other: RouteClaim, our_host: str, their_host: str
) -> tuple[bool, Precedence] | None:
    """Returns whether ours loses the requests for `their_host`, covered by `our_host`, and why."""
    if our_host == their_host:
        why = Precedence.OLDER if ours.created != other.created else Precedence.FIRST_BY_NAME
        return other.order < ours.order, why
    return (True, Precedence.MORE_SPECIFIC_HOSTNAME) if ours.hostnames else None


def _shared(
    ours: RouteClaim, other: RouteClaim, listeners: Listeners
) -> Iterator[tuple[str, str, Attachment]]:
    """Yields, for each listener of both, each hostname of `other` that ours covers.

    Each is a tuple of our most specific hostname that covers it, the hostname of `other`, and the
    attachment.
    """
    for a in ours.attachments:
        for b in other.attachments:
            if a.gateway != b.gateway:
                continue
            for listener in _common(a, ours.namespace, b, other.namespace, listeners):
                own = tuple(hosts_on(ours, listener))
                for their_host in hosts_on(other, listener):
                    our_host = max(
                        (host for host in own if covers(host, their_host)),
                        key=lambda host: (not host.startswith("*."), len(host)),
                        default=None,
                    )
                    if our_host is not None:
                        yield our_host, their_host, a


def _common(
    a: Attachment, a_from: str, b: Attachment, b_from: str, listeners: Listeners
) -> Iterator[Listener]:
    if listeners is not None:
        for listener in listeners.get(a.gateway, ()):
            if a.listens_on(listener, a_from) and b.listens_on(listener, b_from):
                yield listener
    elif all(
        x is None or y is None or x == y for x, y in ((a.section, b.section), (a.port, b.port))
    ):
        yield _UNKNOWN


_PATHS = {"PathPrefix": "path prefix", "Exact": "path", "RegularExpression": "paths like"}


def _described(host: str, match: Match) -> str:
    where = "any host" if host == ANY_HOST else f"host {host}"
    if match.kind not in _PATHS:
        return f"{where}, {f'method {match.path}' if match.path else 'any method'}"
    return f"{where}, {_PATHS[match.kind]} {match.path}"
