"""An identity, and the interface of the modes of access."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from starlette.requests import Request


@dataclass(frozen=True, slots=True)
class Identity:
    """The person who makes a request. `headers` are sent to the API server with every request.

    `key` is unique for the rights (a digest of the headers, or a session), so that nothing that
    was read for one person is shown to another.
    """

    key: str
    name: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)


class Access(Protocol):
    """A mode of access. `has_login` is whether people can log in and out."""

    has_login: bool

    def identify(self, request: Request) -> Identity | None:
        """Returns who makes the request; None if that is not known."""
        ...

    def forget(self, identity: Identity) -> None:
        """Drops what is kept of an identity that the API server does not accept any more."""
        ...


def digest(*words: str) -> str:
    """Returns a digest of secrets, for keys of caches and of CSRF tokens."""
    return hashlib.sha256("\0".join(words).encode()).hexdigest()


def bearer(text: str) -> str:
    """Returns the token of an Authorization header; empty unless it is one bearer token."""
    scheme, _, token = text.strip().partition(" ")
    return token.strip() if scheme.lower() == "bearer" and is_token(token.strip()) else ""


def is_token(text: str) -> bool:
    """Whether the text can be a bearer token: visible ASCII, and no longer than 16 KiB."""
    return 0 < len(text) <= 16_384 and all("!" <= x <= "~" for x in text)
