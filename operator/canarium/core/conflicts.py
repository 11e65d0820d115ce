"""Another route that claims the same requests as a model's route (gateway-api#4303).

Both routes may be `Accepted`, and the gateway silently sends all requests to one of them. When it
is the other, the weights of a rollout have no effect: the condition `RouteConflicted`, the message
and an Event say so (R29). `RouteAccepted` stays what the gateway answers, and `Ready` is about the
version. Of two models, the one whose route gets no requests reports it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import StrEnum

from canarium.api.status import Status
from canarium.core.claims import ANY_HOST, Attachment, Claim, Match, covers, hosts_on
from canarium.core.plan import Event
from canarium.core.routes import Listener, RouteConflict, Winner
from canarium.core.situation import Situation
from canarium.core.wording import sentences

CONDITION = "RouteConflicted"
#: The listeners of each Gateway; None where Gateways cannot be read.
Listeners = Mapping[tuple[str, str], tuple[Listener, ...]] | None
#: Stands for the listeners of a Gateway that cannot be read: routes are compared without them.
_UNKNOWN = Listener("", 0, "All")


class ConflictReason(StrEnum):
    """Which of the two routes gets the requests that both claim."""

    OTHER_ROUTE_WINS = "OtherRouteWins"
    THIS_ROUTE_WINS = "ThisRouteWins"


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


def reported(s: Situation) -> tuple[tuple[str, bool, str, str], ...]:
    """The condition, while another route claims the same requests."""
    found = _found(s)
    if found is None:
        return ()
    reason = ConflictReason.OTHER_ROUTE_WINS if found.lost else ConflictReason.THIS_ROUTE_WINS
    return ((CONDITION, True, reason.value, _text(found)),)


def named(s: Situation, message: str) -> str:
    """`message` with the route that takes the requests of this model, if one does."""
    found = _found(s)
    if found is None or not found.lost:
        return message
    return sentences(message, _text(found))


def events(before: Status, after: Status) -> tuple[Event, ...]:
    """An Event when a contradiction is new, or has another winner."""
    known = {c.reason for c in before.conditions if c.type == CONDITION}
    return tuple(
        Event("Warning", CONDITION, f"{c.reason}: {c.message}")
        for c in after.conditions
        if c.type == CONDITION and c.reason not in known
    )


def _found(s: Situation) -> RouteConflict | None:
    return s.observed.conflict if s.route_kind else None


_WHY = {
    Winner.OLDER: "is older",
    Winner.FIRST_BY_NAME: "is as old and comes first by namespace and name",
    Winner.MORE_SPECIFIC_HOSTNAME: "has the more specific hostname",
}


def _text(found: RouteConflict) -> str:
    own, other = f"{found.kind} {found.own}", f"{found.kind} {found.namespace}/{found.name}"
    if found.model:
        other = f"{other} of ModelDeployment {found.namespace}/{found.model}"
    claimed = f"on Gateway {found.gateway} ({found.requests})"
    change = "Change the hostname or path of one of the routes"
    if found.lost:
        return sentences(
            f"{other} receives the requests that {own} claims {claimed}, because it "
            f"{_WHY[found.why]}",
            "Weights have no effect on them",
            change,
        )
    return sentences(
        f"{other} claims the same requests as {own} {claimed}",
        f"{own} receives them because it {_WHY[found.why]}",
        change,
    )
