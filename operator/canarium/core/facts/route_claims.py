"""What routes of the Gateway API claim: which requests, on which listeners.

Two routes contradict each other when a gateway has to choose between them by something that their
authors do not control or did not mean. The Gateway API orders all matches on a listener by
  1. the most specific hostname (one without a wildcard first, then the longest),
  2. an exact path, then the longest path prefix, then a method, the number of headers, and the
     number of query parameters,
  3. the older route, then the first by namespace/name.
A route that differs in (2) is more or less specific on purpose: `/fraud/v2` beside `/fraud`. What
is left are equal matches, where (3) decides, and a hostname beneath our wildcard.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from canarium.core.facts.gateways import Listener

#: The hostname of a listener or a route that names none.
ANY_HOST = ""


@dataclass(frozen=True, slots=True)
class Match:
    """The conditions of a rule, normalized: equal matches apply to the same requests.

    `kind` and `path` are a path, or for a GRPCRoute a service and method.
    """

    kind: str
    path: str
    method: str | None = None
    headers: tuple[tuple[str, str, str], ...] = ()
    query: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Attachment:
    """A Gateway that a route refers to; `section` and `port` select among its listeners."""

    namespace: str
    name: str
    section: str | None = None
    port: int | None = None

    @property
    def gateway(self) -> tuple[str, str]:
        return self.namespace, self.name

    def listens_on(self, listener: Listener, namespace: str) -> bool:
        """Returns whether a route of `namespace` with this attachment may receive requests of
        `listener`."""
        return (
            self.section in (None, listener.name)
            and self.port in (None, listener.port)
            and listener.allowed != "None"
            and (listener.allowed != "Same" or namespace == self.namespace)
        )


@dataclass(frozen=True, slots=True)
class RouteClaim:
    """Which requests of which Gateways a route claims, of this model or any other.

    `attachments` lack those that a Gateway rejects. `model` is the ModelDeployment that controls
    the route, if any. `created` is the creationTimestamp.
    """

    kind: str
    namespace: str
    name: str
    uid: str
    version: int = field(compare=False)
    created: str
    attachments: tuple[Attachment, ...]
    hostnames: tuple[str, ...]
    matches: tuple[Match, ...]
    model: str | None = None

    @property
    def order(self) -> tuple[str, str]:
        """Precedence among equal matches: the lowest order receives the requests."""
        return self.created, f"{self.namespace}/{self.name}"


def covers(general: str, host: str) -> bool:
    """Returns whether every request for `host`, which may be a wildcard, is one for `general`."""
    if general in (ANY_HOST, host):
        return True
    return general.startswith("*.") and host.removeprefix("*").endswith(general[1:])


def hosts_on(claim: RouteClaim, listener: Listener) -> Iterator[str]:
    """Yields the hostnames for which `claim` receives requests of `listener`."""
    for host in claim.hostnames or (ANY_HOST,):
        if covers(listener.hostname, host):
            yield host
        elif covers(host, listener.hostname):
            yield listener.hostname
