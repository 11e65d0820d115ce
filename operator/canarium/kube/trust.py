"""The TLS context of the client, kept current while certificates are rotated.

A cluster's CA may be replaced while pods run: the kubelet swaps the bundle in the ServiceAccount's
volume, an administrator swaps a kubeconfig. A TLS context that is created once would then reject
the API server until the process restarts. `Trust.context` stands for the current context: each new
connection compares the files first, and a rejected certificate reloads the configuration.
"""

from __future__ import annotations

import logging
import os
import ssl
from collections.abc import Callable
from typing import Any

from kubernetes.aio.client.rest import RESTClientObject

from canarium.tls import without_formalities

log = logging.getLogger(__name__)
Clock = Callable[[], float]
#: Minimum seconds between reloads because of rejected certificates.
_APART = 1.0
_FILES = ("ssl_ca_cert", "cert_file", "key_file")


class TrustContext(ssl.SSLContext):
    """Delegates each handshake to the current context; libraries keep a reference to this one."""

    current: Callable[[], ssl.SSLContext]

    def __new__(cls, current: Callable[[], ssl.SSLContext]) -> TrustContext:
        context = super().__new__(cls, ssl.PROTOCOL_TLS_CLIENT)
        context.current = current
        return context

    def __init__(self, current: Callable[[], ssl.SSLContext]) -> None:
        """Does nothing: `__new__` has created it, and its protocol never changes."""

    def wrap_bio(self, *arguments: Any, **options: Any) -> ssl.SSLObject:
        return self.current().wrap_bio(*arguments, **options)

    def wrap_socket(self, *arguments: Any, **options: Any) -> ssl.SSLSocket:
        return self.current().wrap_socket(*arguments, **options)


class Trust:
    """The TLS side of a `kubernetes.aio` configuration."""

    def __init__(self, configuration: Any, clock: Clock) -> None:
        self._clock = clock
        self._configuration = configuration
        self._loaded = _signature(configuration)
        self._tls = _context(configuration)
        self._refused_since: float | None = None
        self._reload_after = float("-inf")
        self.context = TrustContext(self._current)

    def update(self, configuration: Any) -> None:
        """Uses `configuration` for new connections."""
        self._configuration = configuration
        self._remake(_signature(configuration))

    def refused(self) -> None:
        """Notes that a certificate, the API server's or ours, was rejected."""
        if self._refused_since is None:
            self._refused_since = self._clock()

    def accepted(self) -> None:
        """Notes that the API server answered."""
        self._refused_since = None

    def refused_for(self) -> float:
        """Returns for how many seconds every connection has failed because of certificates."""
        return 0.0 if self._refused_since is None else self._clock() - self._refused_since

    def may_reload(self) -> bool:
        """Returns whether the configuration may be reloaded now; not for each of many failures."""
        now = self._clock()
        if now < self._reload_after:
            return False
        self._reload_after = now + _APART
        return True

    def _current(self) -> ssl.SSLContext:
        signature = _signature(self._configuration)
        if signature != self._loaded:
            self._remake(signature)
        return self._tls

    def _remake(self, signature: tuple[object, ...]) -> None:
        try:
            self._tls = _context(self._configuration)
        except (OSError, ValueError) as error:
            # The file may be half written: the next connection retries.
            log.warning("cannot read the certificates of the API server yet: %s", error)
            return
        self._loaded = signature
        log.info("reloaded the certificates of the API server")


def _context(configuration: Any) -> ssl.SSLContext:
    return without_formalities(RESTClientObject(configuration).ssl_context)


def _signature(configuration: Any) -> tuple[object, ...]:
    """Returns what changes when a file, or a symbolic link on its path, is replaced."""
    signature: list[object] = []
    for name in _FILES:
        path = getattr(configuration, name, None)
        try:
            about = os.stat(path) if path else None
        except OSError:
            about = None
        signature.append((path, about and (about.st_ino, about.st_mtime_ns, about.st_size)))
    return (*signature, getattr(configuration, "ca_cert_data", None))
