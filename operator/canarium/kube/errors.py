"""What can go wrong between us and the API server, in one type with a classification.

Callers decide by property (`error.transient`, `error.conflict`), never by status code, so that a
connection reset and a 503 are treated alike.
"""

from __future__ import annotations

import email.utils
import time
from collections.abc import Mapping
from typing import Any

import orjson


class ApiError(Exception):
    """A request that failed.

    `status` is the HTTP status, or 0 when no answer came (connection error, timeout): then the
    outcome of a write is unknown, and only reading or repeating it idempotently tells.
    `reason` and `details` are those of the Kubernetes Status. `retry_after` is in seconds, `None`
    when the server did not ask for a pause.
    """

    def __init__(
        self,
        status: int,
        reason: str = "",
        message: str = "",
        details: Mapping[str, Any] | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(status, reason, message)
        self.status = status
        self.reason = reason
        self.message = message
        self.details: dict[str, Any] = dict(details or {})
        self.retry_after = retry_after

    def __str__(self) -> str:
        return f"{self.status or 'no answer'} {self.reason}: {self.message}"

    @classmethod
    def of_status(
        cls, status: Mapping[str, Any], retry_after: float | None = None, code: int = 0
    ) -> ApiError:
        """From a Kubernetes Status object, as in an error's body or a watch's ERROR event."""
        details = status.get("details") or {}
        if retry_after is None and details.get("retryAfterSeconds"):
            retry_after = float(details["retryAfterSeconds"])
        return cls(
            code or int(status.get("code") or 500),
            str(status.get("reason") or ""),
            str(status.get("message") or ""),
            details,
            retry_after,
        )

    @classmethod
    def of_response(cls, code: int, body: bytes, headers: Mapping[str, str]) -> ApiError:
        """From an HTTP error. A proxy in between may answer with anything, so nothing is assumed
        of the body."""
        pause = parse_retry_after(headers.get("Retry-After"), time.time())
        try:
            parsed = orjson.loads(body)
        except orjson.JSONDecodeError:
            parsed = None
        if isinstance(parsed, dict) and parsed.get("kind") == "Status":
            return cls.of_status(parsed, pause, code)
        return cls(code, "", body[:500].decode(errors="replace").strip(), retry_after=pause)

    @property
    def not_found(self) -> bool:
        return self.status == 404

    @property
    def conflict(self) -> bool:
        """Someone else wrote: another resourceVersion, uid, or field manager than expected."""
        return self.status == 409 and self.reason != "AlreadyExists"

    @property
    def already_exists(self) -> bool:
        return self.status == 409 and self.reason == "AlreadyExists"

    @property
    def gone(self) -> bool:
        """The resourceVersion or continue token is too old: list again."""
        return self.status == 410

    @property
    def transient(self) -> bool:
        """The same request may succeed later: throttled, server error, no answer."""
        return self.status in (0, 429) or self.status >= 500

    @property
    def rejected(self) -> bool:
        """The same request will fail again until the object, or our permissions, change."""
        return self.status in (400, 403, 422)


def parse_retry_after(value: str | None, now: float) -> float | None:
    """Seconds to wait of a Retry-After header, which holds seconds or an HTTP date.

    `now` is the wall clock (seconds since the epoch). `None` when absent or unreadable.
    """
    if value is None:
        return None
    if value.strip().isdigit():
        return float(value)
    try:
        then = email.utils.parsedate_to_datetime(value)
    except ValueError:
        return None
    return max(0.0, then.timestamp() - now)
