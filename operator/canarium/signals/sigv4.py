"""Signs requests by AWS Signature Version 4.

Theory: the server derives a canonical form of what it receives, and compares its signature. The
URL that is sent is therefore the canonical one itself, so that no client or proxy can express the
same request in another way: `%20` and never `+` for a space, sorted parameters, no dot segments.
The path is encoded once on the wire, and once more in the canonical form (all services except S3).

Specification: https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
Why no library does this: decision 0065.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, urlsplit

_ALGORITHM = "AWS4-HMAC-SHA256"
#: Characters of a path that are not encoded for the wire; "%" since it may be encoded already.
_PLAIN = "/%:@!$&'()*+,;="
#: Headers that are set here, and only here.
_OWN = ("authorization", "host", "x-amz-date", "x-amz-security-token")
_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class AwsKeys:
    """An access key, with a session token if it is temporary."""

    access_key_id: str
    secret_access_key: str = field(repr=False)
    session_token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class SigV4Signer:
    """Signs with one access key for one service in one region."""

    keys: AwsKeys
    region: str
    service: str
    #: Returns POSIX seconds.
    now: Callable[[], float] = time.time

    def signed(
        self, method: str, url: str, headers: Mapping[str, str], body: bytes
    ) -> tuple[str, dict[str, str]]:
        """Returns the URL to send, exactly as it is, and its headers.

        All of `headers` are signed, except those that are set here. Raises ValueError for an
        invalid URL.
        """
        parts = urlsplit(url)
        host = _authority(parts.scheme, parts.hostname or "", parts.port)
        path, query = _path(parts.path), _query(parts.query)
        date = datetime.fromtimestamp(self.now(), UTC).strftime("%Y%m%dT%H%M%SZ")
        sent = {name: value for name, value in headers.items() if name.lower() not in _OWN}
        sent |= {"Host": host, "X-Amz-Date": date}
        if self.keys.session_token:
            sent["X-Amz-Security-Token"] = self.keys.session_token
        canonical = {name.lower(): " ".join(value.split()) for name, value in sent.items()}
        names = sorted(canonical)
        request = "\n".join(
            (
                method,
                quote(path),
                query,
                *(f"{name}:{canonical[name]}" for name in names),
                "",
                ";".join(names),
                hashlib.sha256(body).hexdigest(),
            )
        )
        scope = f"{date[:8]}/{self.region}/{self.service}/aws4_request"
        digest = hashlib.sha256(request.encode()).hexdigest()
        signature = self._signature(scope, "\n".join((_ALGORITHM, date, scope, digest)))
        sent["Authorization"] = (
            f"{_ALGORITHM} Credential={self.keys.access_key_id}/{scope}, "
            f"SignedHeaders={';'.join(names)}, Signature={signature}"
        )
        return f"{parts.scheme}://{host}{path}{'?' if query else ''}{query}", sent

    def _signature(self, scope: str, text: str) -> str:
        key = f"AWS4{self.keys.secret_access_key}".encode()
        for part in scope.split("/"):
            key = hmac.digest(key, part.encode(), "sha256")
        return hmac.digest(key, text.encode(), "sha256").hex()


def _authority(scheme: str, host: str, port: int | None) -> str:
    """Returns the value of the header Host."""
    name = f"[{host}]" if ":" in host else host
    return name if port in (None, _PORTS.get(scheme)) else f"{name}:{port}"


def _path(path: str) -> str:
    """Returns the path on the wire, without dot segments and repeated slashes."""
    segments: list[str] = []
    for segment in path.split("/"):
        if segment == "..":
            segments = segments[:-1]
        elif segment not in ("", "."):
            segments.append(segment)
    ending = "/" if segments and path.endswith("/") else ""
    return quote(f"/{'/'.join(segments)}{ending}", safe=_PLAIN)


def _query(query: str) -> str:
    """Returns the parameters, encoded as the canonical form requires, and sorted."""
    pairs = parse_qsl(query, keep_blank_values=True)
    encoded = sorted((quote(name, safe=""), quote(value, safe="")) for name, value in pairs)
    return "&".join(f"{name}={value}" for name, value in encoded)
