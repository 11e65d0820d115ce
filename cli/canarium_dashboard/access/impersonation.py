"""Access as named groups, for people that a proxy has authenticated and has no token of.

The process has its own token, which may impersonate one user, `USER`, and the configured groups,
and nothing else. Rights are those of the groups. The person's name is in the audit log of the API
server, as the extra field `EXTRA`. The proxy proves itself by a shared secret, so that
clients that reach the pod directly are rejected.
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Callable

from starlette.requests import Request

from canarium_dashboard.access.identity import Identity, digest

USER = "canarium-dashboard"
EXTRA = "canarium.dev/user"
SECRET_HEADER = "x-canarium-proxy-secret"
USER_HEADER = "x-forwarded-user"
GROUPS_HEADER = "x-forwarded-groups"
#: Header values that API servers accept without escaping.
_NAME = re.compile(r"[A-Za-z0-9@._:+/=-]{1,253}")


class ImpersonationAccess:
    """Access of the people that a proxy names, as those of their groups that are configured.

    `token` returns the process's own token, which the kubelet replaces. At least one group has to
    be configured. Groups whose name begins with `system:` are refused: `system:masters` would
    bypass all authorization.
    """

    has_login = False

    def __init__(self, secret: str, groups: frozenset[str], token: Callable[[], str]) -> None:
        if len(secret) < 16:
            raise ValueError("the secret that the proxy sends must have 16 characters or more")
        if not groups or any(g.startswith("system:") or not _NAME.fullmatch(g) for g in groups):
            raise ValueError("name the groups to impersonate; none may begin with system:")
        self._secret, self._groups, self._token = secret, groups, token

    def identify(self, request: Request) -> Identity | None:
        secret = request.headers.get(SECRET_HEADER, "")
        if not hmac.compare_digest(secret.encode(), self._secret.encode()):
            return None
        users = request.headers.getlist(USER_HEADER)
        if len(users) != 1 or not _NAME.fullmatch(users[0]):
            return None
        listed = ",".join(request.headers.getlist(GROUPS_HEADER))
        groups = sorted({x.strip() for x in listed.split(",")} & self._groups)
        if not groups:
            return None
        # aiohttp sends a header of several values as several lines; see `api`.
        headers = {
            "Authorization": f"Bearer {self._token()}",
            "Impersonate-User": USER,
            "Impersonate-Group": "\n".join(groups),
            f"Impersonate-Extra-{EXTRA.replace('/', '%2f')}": users[0],
        }
        return Identity(digest("impersonate", users[0], *groups), users[0], headers)

    def forget(self, identity: Identity) -> None:
        """Keeps nothing, so there is nothing to drop."""
