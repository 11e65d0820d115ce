"""Which of two routes receives the requests that both claim, by the order of the Gateway API.

`core.facts.route_claims` has that order. Only equal matches are decided here: a route that is more
or less
specific than ours takes its requests, or leaves them, on purpose.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from canarium.core.facts.gateways import Listener, RouteConflict, Winner
from canarium.core.facts.route_claims import ANY_HOST, Attachment, Claim, Match, covers, hosts_on

#: The listeners of each Gateway; None where Gateways cannot be read.
Listeners = Mapping[tuple[str, str], tuple[Listener, ...]] | None
#: Stands for the listeners of a Gateway that cannot be read: routes are compared without them.
_UNKNOWN = Listener("", 0, "All")


def conflict(ours: Claim, others: Iterable[Claim], listeners: Listeners) -> RouteConflict | None:
    """The contradiction of `ours` that matters most: one that it loses, else the first."""
    won = None
    for other in others:
        found = between(ours, other, listeners)
        if found and found.lost:
            return found
        # The other model reports it: its weights are the ones without effect.
        if found and not other.model:
            won = won or found
    return won


def between(ours: Claim, other: Claim, listeners: Listeners) -> RouteConflict | None:
    """How `other` contradicts `ours`, by the order of the Gateway API; None when it does not.

    A hostname of `other` beneath a wildcard of ours takes the requests for that host. A model that
    names no hostname is not contradicted so: it asks for what nobody else names.
    """
    won = None
    for match in (match for match in ours.matches if match in other.matches):
        for mine, theirs, place in _shared(ours, other, listeners):
            found = _decided(ours, other, mine, theirs)
            if found is None:
                continue
            lost, why = found
            told = RouteConflict(
                kind=ours.kind,
                own=f"{ours.namespace}/{ours.name}",
                namespace=other.namespace,
                name=other.name,
                model=other.model,
                gateway="/".join(place.gateway),
                requests=_described(theirs, match),
                lost=lost,
                why=why,
            )
            if lost:
                return told
            won = won or told
    return won


def _decided(ours: Claim, other: Claim, mine: str, theirs: str) -> tuple[bool, Winner] | None:
    """Whether ours loses the requests for host `theirs`, and why; `mine` covers it."""
    if mine == theirs:
        why = Winner.OLDER if ours.created != other.created else Winner.FIRST_BY_NAME
        return other.order < ours.order, why
    return (True, Winner.MORE_SPECIFIC_HOSTNAME) if ours.hostnames else None


def _shared(
    ours: Claim, other: Claim, listeners: Listeners
) -> Iterator[tuple[str, str, Attachment]]:
    """On each listener that both are attached to: each hostname of `other` that ours covers, with
    the most specific one of ours that does."""
    for a in ours.attachments:
        for b in other.attachments:
            if a.gateway != b.gateway:
                continue
            for listener in _common(a, ours.namespace, b, other.namespace, listeners):
                own = tuple(hosts_on(ours, listener))
                for theirs in hosts_on(other, listener):
                    mine = max(
                        (host for host in own if covers(host, theirs)),
                        key=lambda host: (not host.startswith("*."), len(host)),
                        default=None,
                    )
                    if mine is not None:
                        yield mine, theirs, a


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
