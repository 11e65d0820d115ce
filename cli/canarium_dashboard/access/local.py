"""Access of `kubectl modeldeploy dashboard`: one user, who has the address with its key.

The pages have the rights of a kubeconfig, so a loopback address is not enough: other users of the
machine reach it too. The address that the verb prints contains a key, which a cookie replaces.
"""

from __future__ import annotations

import hmac
import secrets

from starlette.requests import Request

from canarium_dashboard.access.identity import Identity, digest


class LocalAccess:
    """Access with the key of this process. The transport adds the credentials of the user."""

    has_login = False

    def __init__(self, name: str = "kubeconfig", key: str = "") -> None:
        self.key = key or secrets.token_urlsafe(32)
        #: What the cookie contains instead of the key, which may be in the browser's history.
        self.session = secrets.token_urlsafe(32)
        #: Browsers send a cookie to every port of a host, so each process uses another name.
        self.cookie = f"canarium-{digest(self.session)[:12]}"
        self._identity = Identity(digest(self.session), name)

    def identify(self, request: Request) -> Identity | None:
        sent = request.cookies.get(self.cookie, "")
        return self._identity if hmac.compare_digest(sent.encode(), self.session.encode()) else None

    def has_key(self, request: Request) -> bool:
        """Whether the request has the key of the printed address."""
        return hmac.compare_digest(request.query_params.get("key", "").encode(), self.key.encode())

    def forget(self, identity: Identity) -> None:
        """Keeps the session: kubectl renews credentials by itself."""
