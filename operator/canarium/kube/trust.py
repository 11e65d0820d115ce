"""Whom the client trusts and as whom it connects, kept true while certificates are rotated.

A cluster's CA is replaced while pods run: the kubelet swaps the bundle in the ServiceAccount's
volume, an administrator swaps a kubeconfig. A TLS context that is made once would then refuse the
API server until the process restarts. `Trust.context` stands for the current context: each new
connection compares the files first, and a refused certificate has the configuration read again.
"""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Callable
from typing import Any

from kubernetes.aio.client.rest import RESTClientObject

log = logging.getLogger(__name__)
Clock = Callable[[], float]
#: Seconds between two readings of the configuration over refused certificates.
_APART = 1.0
_FILES = ("ssl_ca_cert", "cert_file", "key_file")


class Context(ssl.SSLContext):
    """A context that asks for the current one at each handshake; libraries hold on to this one."""

    current: Callable[[], ssl.SSLContext]

    def __new__(cls, current: Callable[[], ssl.SSLContext]) -> Context:
        made = super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)
        made.current = current
        return made

    def __init__(self, current: Callable[[], ssl.SSLContext]) -> None:
        """Nothing is left to do: `__new__` has made it, for a protocol that never changes."""

    def wrap_bio(self, *arguments: Any, **options: Any) -> ssl.SSLObject:
        return self.current().wrap_bio(*arguments, **options)

    def wrap_socket(self, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        return self.current().wrap_socket(*arguments, **options)


class Trust:
    """The TLS side of a `kubernetes.aio` configuration."""

    def __init__(self, configuration: Any, clock: Clock) -> None:
        self._clock = clock
        self._configuration = configuration
        self._seen = _signature(configuration)
        self._made = _made(configuration)
        self._refused_since: float | None = None
        self._reload_after = float("-inf")
        self.context = Context(self._current)

    def update(self, configuration: Any) -> None:
        """New connections use `configuration` from now on."""
        self._configuration = configuration
        self._remake(_signature(configuration))

    def refused(self) -> None:
        """No connection: the API server's certificate, or ours, is not accepted."""
        if self._refused_since is None:
            self._refused_since = self._clock()

    def accepted(self) -> None:
        """The API server has answered."""
        self._refused_since = None

    def refused_for(self) -> float:
        """Seconds for which every request that connects has failed over certificates."""
        return 0.0 if self._refused_since is None else self._clock() - self._refused_since

    def may_reload(self) -> bool:
        """Whether the configuration may be read again now: not for each of many failures."""
        now = self._clock()
        if now < self._reload_after:
            return False
        self._reload_after = now + _APART
        return True

    def _current(self) -> ssl.SSLContext:
        seen = _signature(self._configuration)
        if seen != self._seen:
            self._remake(seen)
        return self._made

    def _remake(self, seen: tuple[object, ...]) -> None:
        try:
            self._made = _made(self._configuration)
        except (OSError, ValueError) as error:
            # Written by half, perhaps: the next connection tries again.
            log.warning("the certificates of the API server are not readable yet: %s", error)
            return
        self._seen = seen
        log.info("read the certificates of the API server again")


def _made(configuration: Any) -> ssl.SSLContext:
    context: ssl.SSLContext = RESTClientObject(configuration).ssl_context
    return context


def _signature(configuration: Any) -> tuple[object, ...]:
    """What changes when a file is written or replaced, a symbolic link on the way to it too."""
    found: list[object] = []
    for name in _FILES:
        path = getattr(configuration, name, None)
        try:
            about = os.stat(path) if path else None
        except OSError:
            about = None
        found.append((path, about and (about.st_ino, about.st_mtime_ns, about.st_size)))
    return (*found, getattr(configuration, "ca_cert_data", None))
