"""The Prometheus of the operator, for checks that name none.

An administrator chooses its URL, and its credentials are those of the operator: they are sent to
that URL only, never to one of a check, and a check cannot add its own. Requests are subject to the
same rules for addresses as those to URLs of users.

The author of a check chooses the query. So either each query carries the namespace of its model in
a parameter, with which a proxy in front of the server restricts it (prom-label-proxy, or the
tenancy port of OpenShift's Thanos), or the administrator declares that every namespace may read all
series (decision 0064).
"""

from __future__ import annotations

import base64
import ssl
from dataclasses import dataclass, field, replace
from pathlib import Path

from canarium.api.authentication import SigV4
from canarium.core.evidence.faulty_object import FaultyObject, ObjectProblem
from canarium.signals.authenticator import Authenticator, with_login
from canarium.signals.authorities import InvalidCertificates, trusting
from canarium.signals.credentials import Secret, Unavailable
from canarium.signals.endpoint import Endpoint

#: Keys of its Secret, and the maximum bytes of each.
_KEYS = ("token", "username", "password", "ca.crt")
_LONGEST = 48 << 10
_SECRET = "of the operator's Prometheus"


@dataclass
class DefaultPrometheus:
    """A server for all namespaces. `folder` has its credentials, as a mounted Secret; `timeout` is
    in seconds. Without a `namespace_parameter`, queries read all series."""

    url: str
    folder: Path | None = None
    timeout: float = 10.0
    namespace_parameter: str = ""
    #: The operator's identity instead of a Secret: a cloud, and how requests to AWS are signed.
    identity: tuple[str, SigV4 | None] | None = None
    #: The last content of the folder, and the endpoint with it: a certificate is parsed once.
    _last: tuple[dict[str, str], Endpoint] | None = field(default=None, init=False, repr=False)

    async def endpoint(
        self, namespace: str, patience: float | None, authenticator: Authenticator
    ) -> Endpoint:
        """Returns the endpoint for a check in `namespace`; `patience` None is its own timeout.

        Raises Unavailable.
        """
        plain = Endpoint(self.url, self.timeout)
        return replace(
            await authenticator.with_identity(plain, *self.identity)
            if self.identity
            else self._with_login(),
            patience=self.timeout if patience is None else patience,
            parameters={self.namespace_parameter: namespace} if self.namespace_parameter else {},
            login="analysis.prometheus.existingSecret in the values of the operator's chart",
        )

    def _with_login(self) -> Endpoint:
        plain = Endpoint(self.url, self.timeout)
        if self.folder is None:
            return plain
        # A few small files in memory, which the kubelet replaces when the Secret changes.
        data = {key: text for key in _KEYS if (text := _read(self.folder / key)) is not None}
        if self._last is None or self._last[0] != data:
            secret = Secret(_SECRET, data)
            self._last = (data, with_login(replace(plain, tls=_trust(secret)), secret))
        return self._last[1]


def _trust(secret: Secret) -> ssl.SSLContext | None:
    """Raises Unavailable."""
    certificates = secret.authority()
    try:
        return None if certificates is None else trusting(certificates)
    except InvalidCertificates as error:
        raise secret.not_a_certificate() from error


def _read(path: Path) -> str | None:
    """Returns the content of a file in base64; None if it does not exist. Raises Unavailable."""
    try:
        with path.open("rb") as file:
            content = file.read(_LONGEST + 1)
    except FileNotFoundError:
        return None
    except OSError as error:
        faulty = FaultyObject("Secret", _SECRET, path.name, ObjectProblem.UNREADABLE)
        text = f"Secret {_SECRET}: {path.name} cannot be read"
        raise Unavailable(text, faulty=faulty) from error
    if len(content) > _LONGEST:
        faulty = FaultyObject("Secret", _SECRET, path.name, ObjectProblem.TOO_LONG)
        text = f"Secret {_SECRET}: {path.name} has more than {_LONGEST >> 10} KiB"
        raise Unavailable(text, faulty=faulty)
    return base64.b64encode(content).decode()
