"""Access with a bearer token that a person enters into the login form."""

from __future__ import annotations

from starlette.requests import Request

from canarium_dashboard.access.identity import Identity, bearer, digest
from canarium_dashboard.access.sessions import Sessions

COOKIE = "canarium-session"


class TokenAccess:
    """Access with the token of a session, or of the request's own Authorization header."""

    has_login = True

    def __init__(self, sessions: Sessions | None = None) -> None:
        self.sessions = sessions or Sessions()

    def identify(self, request: Request) -> Identity | None:
        token = bearer(request.headers.get("authorization", ""))
        token = token or self.sessions.secret(request.cookies.get(COOKIE, "")) or ""
        return of_token(token) if token else None

    def forget(self, identity: Identity) -> None:
        token = bearer(identity.headers.get("Authorization", ""))
        self.sessions.end_of(token)


def of_token(token: str, name: str = "") -> Identity:
    """Returns the identity of a token."""
    return Identity(digest(token), name, {"Authorization": f"Bearer {token}"})
