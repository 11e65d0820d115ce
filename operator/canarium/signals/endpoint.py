"""The address of a server with credentials, and requests to it."""

from __future__ import annotations

import json
import ssl
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from urllib.parse import quote, urlencode

from canarium.api.reasons import CheckReason
from canarium.core.evidence.measures import Missing
from canarium.signals.access import NamespaceAccess
from canarium.signals.errors import NoAnswer
from canarium.signals.http_client import Response
from canarium.signals.redaction import redacted, shown
from canarium.signals.sigv4 import SigV4Signer
from canarium.untrusted.quoting import quoted

#: Statuses of a server that rejects the credentials, or their absence.
_DENIED = (401, 403)
#: Bytes of an error that is parsed on the event loop.
_LONGEST_ERROR = 16 << 10


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of a server, with credentials; `headers` may contain some of `secrets`."""

    url: str
    patience: float
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)
    signer: SigV4Signer | None = None
    #: Called with the status of a server that rejects credentials which expire.
    refused: Callable[[int], None] | None = field(default=None, repr=False)
    #: Parameters of every request, which those of a request do not replace.
    parameters: Mapping[str, str] = field(default_factory=dict)
    #: Where its credentials are configured.
    login: str = "authentication.secretName"

    def __str__(self) -> str:
        return shown(self.url)

    @property
    def has_credentials(self) -> bool:
        """Whether requests prove who sends them."""
        return bool(self.headers or self.signer)

    async def request(
        self,
        web: NamespaceAccess,
        method: str,
        path: str = "",
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Response:
        """Sends a request with the credentials; `path` is appended to the address.

        Raises NoAnswer.
        """
        url, sent = self.url.rstrip("/") + path if path else self.url, dict(headers or {})
        query = {**(query or {}), **self.parameters}
        if self.signer:
            if query:
                url += f"?{urlencode(query, quote_via=quote)}"
            try:
                url, sent = self.signer.signed(method, url, sent, body or b"")
            except ValueError as error:
                raise NoAnswer("the address is not a valid URL") from error
            query = {}
        answer = await web.request(
            method,
            url,
            body=body,
            headers={**sent, **self.headers},
            query=query or None,
            patience=self.patience,
            tls=self.tls,
            exact=self.signer is not None,
        )
        if self.refused and answer.status in _DENIED:
            self.refused(answer.status)
        return answer


def denied(endpoint: Endpoint, answer: Response) -> Missing | None:
    """Returns the finding for a server that rejects the credentials, or their absence."""
    if answer.status not in _DENIED:
        return None
    why = f"a login is missing: {endpoint.login}"
    if endpoint.has_credentials:
        words = redacted(_words(answer.body), endpoint.secrets)
        why = f"the login is refused: {words}" if words else "the login is refused"
    text = f"{endpoint}: status {answer.status}: {why}"
    return Missing(text, error=True, reason=CheckReason.ACCESS_DENIED)


def _words(body: bytes) -> str:
    """Returns the message of an error in JSON, as clouds send it; "" for anything else."""
    try:
        parsed = json.loads(body) if len(body) <= _LONGEST_ERROR else None
    except (ValueError, RecursionError):
        return ""
    fields = {k.lower(): v for k, v in parsed.items()} if isinstance(parsed, dict) else {}
    for name in ("message", "error_description", "error"):
        if isinstance(fields.get(name), str):
            return quoted(fields[name], 300)
    return ""
