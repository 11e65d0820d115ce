"""Access with the token that an authenticating proxy adds to every request."""

from __future__ import annotations

from starlette.requests import Request

from canarium_dashboard.access.identity import Identity, bearer
from canarium_dashboard.access.token import of_token


class HeaderAccess:
    """Access with the Authorization header of a proxy, such as oauth2-proxy with
    `--pass-authorization-header`. The API server checks the token; the header needs no trust."""

    has_login = False

    def identify(self, request: Request) -> Identity | None:
        token = bearer(request.headers.get("authorization", ""))
        return of_token(token) if token else None

    def forget(self, identity: Identity) -> None:
        """Keeps nothing, so there is nothing to drop."""
