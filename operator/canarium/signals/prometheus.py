"""Queries Prometheus servers; accepts only a single, recent number."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from canarium.api.reasons import CheckReason
from canarium.core.evidence.measures import Missing, Reading, Result
from canarium.evaluation.errors import ErrorReason, EvaluationError
from canarium.signals.access import NamespaceAccess
from canarium.signals.errors import NoAnswer
from canarium.signals.redaction import shown
from canarium.untrusted.quoting import quoted

#: Statuses of a server that rejects the credentials, or their absence.
_DENIED = (401, 403)
#: Older results are not evidence about now.
_FRESH = 60.0
#: Reasons of checks that are older than those of evaluations.
_REASONS = {
    ErrorReason.INVALID: CheckReason.INVALID_QUERY,
    ErrorReason.UNREADABLE: CheckReason.QUERY_FAILED,
}


@dataclass(frozen=True, slots=True)
class Endpoint:
    """The address of a server, with credentials; `headers` may contain some of `secrets`."""

    url: str
    patience: float
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        return shown(self.url)


async def query(web: NamespaceAccess, endpoint: Endpoint, promql: str, now: float) -> Result:
    """Returns the value of an instant query at `now` (POSIX seconds), or why there is none."""
    try:
        answer = await web.request(
            "GET",
            f"{endpoint.url.rstrip('/')}/api/v1/query",
            query={"query": promql, "time": f"{now:.3f}"},
            headers=endpoint.headers,
            patience=endpoint.patience,
            tls=endpoint.tls,
        )
    except NoAnswer as error:
        return _failed(f"Prometheus at {endpoint}: {error}", error.reason)
    if refusal := denied(endpoint, answer.status):
        return refusal
    try:
        result, _ = await web.evaluate("query", answer.body)
    except EvaluationError as error:
        text = f"Prometheus at {endpoint}: status {answer.status}: {error}"
        return _failed(text, reason_of(error))
    return _value(endpoint, result, now)


def reason_of(error: EvaluationError) -> str:
    """Returns the reason for a response that could not be evaluated."""
    return _REASONS.get(error.reason, error.reason.value)


def _value(endpoint: Endpoint, result: dict[str, Any], now: float) -> Result:
    match result["kind"]:
        case "value":
            age = now - result["at"]
            if age > _FRESH:
                return Missing(f"the value is {age:.0f}s old")
            return Reading(float(result["value"]))
        case "empty":
            return Missing("the query gives no value")
        case "many":
            text = f"the query gives {result['count']} series: join them, as with sum()"
            return Missing(text, error=True, reason=CheckReason.INVALID_QUERY)
        case "refused":
            message, kind = quoted(result["text"]), quoted(result["type"], 50)
            if kind == "bad_data":
                return Missing(
                    f"the query is wrong: {message}", error=True, reason=CheckReason.INVALID_QUERY
                )
            return _failed(f"Prometheus at {endpoint}: {kind}: {message}")
        case kind:
            what = quoted(result.get("type", kind), 50)
            text = f"the query gives a {what}: an instant vector or a scalar is needed"
            return Missing(text, error=True, reason=CheckReason.INVALID_QUERY)


def denied(endpoint: Endpoint, status: int) -> Missing | None:
    """Returns the finding for a server that rejects the credentials, or their absence."""
    if status not in _DENIED:
        return None
    known = "Authorization" in endpoint.headers
    why = "the login is refused" if known else "a login is missing: authentication.secretName"
    return Missing(
        f"{endpoint}: status {status}: {why}", error=True, reason=CheckReason.ACCESS_DENIED
    )


def _failed(message: str, reason: str = CheckReason.QUERY_FAILED) -> Missing:
    return Missing(message, error=True, reason=reason)
