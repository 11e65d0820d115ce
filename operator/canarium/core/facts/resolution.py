"""Facts about references that move, such as an alias, a branch or a tag (R26)."""

from __future__ import annotations

from dataclasses import dataclass

#: Annotation `canarium.dev/resolve`: when it changes, a followed reference is resolved at once.
RESOLVE_ANNOTATION = "resolve"
#: Characters of its value that are compared.
LONGEST_TOKEN = 128


@dataclass(frozen=True, slots=True)
class ResolveRequest:
    """A moving reference to resolve (R26): its URI, the registry's address ("": the usual one of
    the URI), and the Secret with credentials. `attempt` differs between specs and between retries.
    """

    uri: str
    endpoint: str
    secret: str | None
    attempt: str


@dataclass(frozen=True, slots=True)
class Follow:
    """How to follow a reference whose revision exists: ask every `interval` seconds, and soon
    when `token` changes. A result other than `in_effect` has to be confirmed."""

    interval: float
    in_effect: str | None
    token: str = ""


@dataclass(frozen=True, slots=True)
class Resolution:
    """The result of a request: a URI that cannot move, or why there is none or no steady one
    (`reason` and `message`).

    A result is `confirmed` if the last two answers of the registry agree, or if it is already in
    effect. Only such a result starts a rollout. While the answers flap, only what is in effect is
    confirmed.
    """

    request: ResolveRequest
    uri: str | None = None
    reason: str | None = None
    message: str = ""
    confirmed: bool = False
