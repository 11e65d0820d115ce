"""Facts about references that move, such as an alias of a registry (R26)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ResolveRequest:
    """A moving reference to resolve for one new record (R26): its URI, the registry's address, and
    the Secret with credentials. `attempt` differs between records."""

    uri: str
    endpoint: str
    secret: str | None
    attempt: str


@dataclass(frozen=True, slots=True)
class Resolution:
    """The result of a request: a URI that cannot move, or why there is none (`reason` and
    `message`)."""

    request: ResolveRequest
    uri: str | None = None
    reason: str | None = None
    message: str = ""
