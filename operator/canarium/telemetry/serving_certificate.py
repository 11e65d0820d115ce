"""The certificate of an HTTPS endpoint, from files that may change while it serves.

A Secret that is mounted as a volume is replaced as a whole by the kubelet, at any moment. Each new
connection uses what the files contain then: they are compared by a `stat` at the handshake, which
needs no watch and no timer. A pair that cannot be used, such as one that is half written, is logged
once, and the last one that could be used stays in use.
"""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

log = logging.getLogger(__name__)
CERTIFICATE, KEY = "tls.crt", "tls.key"
#: Inode, size and time of change of each file.
_Identity = tuple[tuple[int, int, int], ...]


class CertificateUnusable(OSError):
    """Certificate or key is missing or does not fit; the message names the folder."""


class ServingCertificate:
    """`tls.crt` and `tls.key` in `folder`, as in a Secret of type kubernetes.io/tls.

    Raises CertificateUnusable if they cannot be used at the start.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen = self._identity()
        try:
            self._current = self._load()
        except (OSError, ssl.SSLError) as error:
            raise CertificateUnusable(self._fault(error)) from error
        #: For the listener. Its handshakes continue with the context of the current files.
        self.context = self._current
        self.context.sni_callback = self._use_current

    def _use_current(
        self, connection: ssl.SSLSocket | ssl.SSLObject, _name: str | None, _: ssl.SSLContext
    ) -> None:
        """Gives a handshake the current certificate, also one without the name of the server."""
        if self._identity() != self._seen:
            self._reload()
        connection.context = self._current

    def _reload(self) -> None:
        self._seen = self._identity()
        try:
            self._current = self._load()
        except (OSError, ssl.SSLError) as error:
            log.error("keeping the last certificate: %s", self._fault(error))
        else:
            log.info("serving with a new certificate from %s", self._folder)

    def _identity(self) -> _Identity:
        identities = []
        for name in (CERTIFICATE, KEY):
            try:
                stat = (self._folder / name).stat()
            except OSError:
                identities.append((0, 0, 0))
            else:
                identities.append((stat.st_ino, stat.st_size, stat.st_mtime_ns))
        return tuple(identities)

    def _load(self) -> ssl.SSLContext:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.load_cert_chain(self._folder / CERTIFICATE, self._folder / KEY)
        return context

    def _fault(self, error: Exception) -> str:
        return f"{self._folder}: {CERTIFICATE} and {KEY} cannot be used: {error}"
