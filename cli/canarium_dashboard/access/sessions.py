"""Sessions: a random name in a cookie, and the token in the memory of this process only."""

from __future__ import annotations

import secrets
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

#: At most this many sessions; the one that was used least recently ends first.
LIMIT = 1_000
#: Seconds without a request after which a session ends, and its longest life.
IDLE, LIFE = 8 * 3600.0, 24 * 3600.0


@dataclass(slots=True)
class Session:
    """A session: its secret, and when it began and was used, in seconds."""

    secret: str
    began: float
    used: float


class Sessions:
    """The sessions of one process."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._sessions: OrderedDict[str, Session] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sessions)

    def begin(self, secret: str) -> str:
        """Stores a secret and returns the name of the new session."""
        now = self._clock()
        self._drop_old(now)
        while len(self._sessions) >= LIMIT:
            self._sessions.popitem(last=False)
        name = secrets.token_urlsafe(32)
        self._sessions[name] = Session(secret, now, now)
        return name

    def secret(self, name: str) -> str | None:
        """Returns the secret of a session and notes its use; None if it has ended."""
        now = self._clock()
        session = self._sessions.get(name)
        if session is None:
            return None
        if now - session.used > IDLE or now - session.began > LIFE:
            del self._sessions[name]
            return None
        session.used = now
        self._sessions.move_to_end(name)
        return session.secret

    def end(self, name: str) -> None:
        """Ends a session."""
        self._sessions.pop(name, None)

    def end_of(self, secret: str) -> None:
        """Ends all sessions with this secret."""
        for name in [n for n, s in self._sessions.items() if s.secret == secret]:
            del self._sessions[name]

    def _drop_old(self, now: float) -> None:
        for name, session in list(self._sessions.items()):
            if now - session.used > IDLE or now - session.began > LIFE:
                del self._sessions[name]


def set_cookie(request: Request, response: Response, name: str, value: str) -> None:
    """Sets a cookie that only this site sends, and no script reads; only over TLS if it is used."""
    response.set_cookie(
        name,
        value,
        path=_path(request),
        httponly=True,
        samesite="strict",
        secure=is_secure(request),
    )


def delete_cookie(request: Request, response: Response, name: str) -> None:
    """Deletes a cookie, with the attributes that it was set with."""
    response.delete_cookie(
        name, path=_path(request), httponly=True, samesite="strict", secure=is_secure(request)
    )


def is_secure(request: Request) -> bool:
    """Whether the browser uses TLS, with this process or with a proxy before it.

    A forged header can only add the attribute, never remove it.
    """
    forwarded = request.headers.get("x-forwarded-proto", "").split(",")[0].strip().lower()
    return request.url.scheme == "https" or forwarded == "https"


def _path(request: Request) -> str:
    return str(request.app.state.settings.base_path) or "/"
