"""Queries Prometheus servers; accepts only a single, recent number."""

from __future__ import annotations

from typing import Any

from canarium.api.reasons import CheckReason
from canarium.core.evidence.measures import Missing, Reading, Result
from canarium.evaluation.errors import ErrorReason, EvaluationError
from canarium.signals.access import NamespaceAccess
from canarium.signals.endpoint import Endpoint, denied
from canarium.signals.errors import NoAnswer
from canarium.untrusted.quoting import quoted

#: Older results are not evidence about now.
_FRESH = 60.0
#: Reasons of checks that are older than those of evaluations.
_REASONS = {
    ErrorReason.INVALID: CheckReason.INVALID_QUERY,
    ErrorReason.UNREADABLE: CheckReason.QUERY_FAILED,
}


async def query(web: NamespaceAccess, endpoint: Endpoint, promql: str, now: float) -> Result:
    """Returns the value of an instant query at `now` (POSIX seconds), or why there is none."""
    try:
        answer = await endpoint.request(
            web, "GET", "/api/v1/query", query={"query": promql, "time": f"{now:.3f}"}
        )
    except NoAnswer as error:
        return _failed(f"Prometheus at {endpoint}: {error}", error.reason)
    if refusal := denied(endpoint, answer):
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


def _failed(message: str, reason: str = CheckReason.QUERY_FAILED) -> Missing:
    return Missing(message, error=True, reason=reason)
