"""Access of `kubectl modeldeploy dashboard`: one user, who has the address with its key.

The pages have the rights of a kubeconfig, so a loopback address is not enough: other users of the
machine reach it too. The address that the verb prints contains a key, which a cookie replaces.
A browser that the verb opens gets a key that is valid once (`opening`).
"""

from __future__ import annotations

import hmac
import secrets
import time
from collections.abc import Callable

from starlette.requests import Request

from canarium_dashboard.access.identity import Identity, digest

#: Seconds within which a browser has to use a key that is valid once.
ONCE_SECONDS = 60.0


class LocalAccess:
    """Access with the key of this process. The transport adds the credentials of the user."""

    has_login = False

    def __init__(
        self, name: str = "kubeconfig", key: str = "", clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.key = key or secrets.token_urlsafe(32)
        self._clock = clock
        #: Keys that are valid once → until when, by the clock.
        self._once: dict[str, float] = {}
        #: What the cookie contains instead of the key, which may be in the browser's history.
        self.session = secrets.token_urlsafe(32)
        #: Browsers send a cookie to every port of a host, so each process uses another name.
        self.cookie = f"canarium-{digest(self.session)[:12]}"
        self._identity = Identity(digest(self.session), name)

    def identify(self, request: Request) -> Identity | None:
        sent = request.cookies.get(self.cookie, "")
        return self._identity if hmac.compare_digest(sent.encode(), self.session.encode()) else None

    def key_for_one_use(self) -> str:
        """Returns a key that admits one request, within `ONCE_SECONDS`."""
        key = secrets.token_urlsafe(32)
        self._once[key] = self._clock() + ONCE_SECONDS
        return key

    def admits(self, request: Request) -> bool:
        """Whether the request has the key of the printed address, or one that is valid once, which
        it uses up."""
        sent = request.query_params.get("key", "").encode()
        if hmac.compare_digest(sent, self.key.encode()):
            return True
        now = self._clock()
        used = [key for key in self._once if hmac.compare_digest(sent, key.encode())]
        return any(self._once.pop(key) >= now for key in used)

    def forget(self, identity: Identity) -> None:
        """Keeps the session: kubectl renews credentials by itself."""
