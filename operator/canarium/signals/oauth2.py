"""Obtains tokens by the client credentials of OAuth 2.0 (RFC 6749, section 4.4)."""

from __future__ import annotations

import base64
import json
import ssl
from typing import Any
from urllib.parse import quote_plus, urlencode

from canarium.api.authentication import OAuth2
from canarium.api.reasons import CheckReason
from canarium.signals.access import NamespaceAccess
from canarium.signals.credentials import Unavailable
from canarium.signals.errors import NoAnswer
from canarium.signals.http_client import Response
from canarium.signals.redaction import redacted, shown
from canarium.signals.token_cache import Expiring
from canarium.untrusted.quoting import quoted

#: Seconds until the token server has to have answered.
_PATIENCE = 10.0
#: Bytes of an answer, which is parsed on the event loop, and characters of a token.
LONGEST, _LONGEST_TOKEN = 64 << 10, 16 << 10
#: Seconds for which a token is valid if the server does not report it.
_LIFETIME = 60.0
#: Statuses of a server that rejects the client, or what it asks for.
_DENIED = (400, 401, 403)


async def obtain(
    web: NamespaceAccess, settings: OAuth2, client: tuple[str, str], tls: ssl.SSLContext | None
) -> Expiring[str]:
    """Returns a token for `client`, its id and secret. Raises Unavailable.

    The client authenticates by HTTP Basic, which every server has to support (section 2.3.1).
    """
    pair = ":".join(quote_plus(part) for part in client)
    login = base64.b64encode(pair.encode()).decode()
    fields = {**(settings.parameters or {}), "grant_type": "client_credentials"}
    if settings.scopes:
        fields["scope"] = " ".join(settings.scopes)
    headers = {
        "Accept": "application/json",
        "Authorization": f"Basic {login}",
        "Content-Type": "application/x-www-form-urlencoded",
    }
    where = f"token server {shown(settings.token_url)}"
    try:
        answer = await web.request(
            "POST",
            settings.token_url,
            body=urlencode(fields).encode(),
            headers=headers,
            patience=_PATIENCE,
            tls=tls,
            longest=LONGEST,
        )
    except NoAnswer as error:
        raise Unavailable(f"{where}: {error}", error.reason) from error
    return token(answer, where, (*client, login))


def token(answer: Response, where: str, secrets: tuple[str, ...] = ()) -> Expiring[str]:
    """Returns the token in the answer of a token server (section 5). Raises Unavailable."""
    body = _object(answer.body)
    if answer.status != 200:
        words = ": ".join(str(body[x]) for x in ("error", "error_description") if x in body)
        text = f"{where}: status {answer.status}" + (f": {quoted(words, 300)}" if words else "")
        denied = answer.status in _DENIED
        reason = CheckReason.ACCESS_DENIED if denied else CheckReason.QUERY_FAILED
        raise Unavailable(redacted(text, secrets), reason)
    value, kind = body.get("access_token"), body.get("token_type", "Bearer")
    if not isinstance(value, str) or not 0 < len(value) <= _LONGEST_TOKEN or not _is_word(value):
        text = f"{where}: the answer has no usable access_token"
        raise Unavailable(text, CheckReason.INVALID_ANSWER)
    if str(kind).lower() != "bearer":
        text = f"{where}: the token is of type {quoted(str(kind), 50)}, not Bearer"
        raise Unavailable(text, CheckReason.INVALID_ANSWER)
    return Expiring(value, _seconds(body.get("expires_in")))


def _seconds(lifetime: Any) -> float:
    """Returns the lifetime of a token; some servers send it as text."""
    try:
        return max(1.0, min(float(lifetime), 86_400.0))
    except (TypeError, ValueError, OverflowError):
        return _LIFETIME


def _is_word(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text


def _object(content: bytes) -> dict[str, Any]:
    """Returns the JSON object in `content`; an empty one if it is none."""
    try:
        parsed = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return parsed if isinstance(parsed, dict) else {}
