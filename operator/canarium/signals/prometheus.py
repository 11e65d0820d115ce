"""Values from a Prometheus server, believed only when fresh, single and a number."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson

from canarium.core.measures import Missing, Reading, Result
from canarium.quoting import quoted
from canarium.signals.redaction import shown
from canarium.signals.web import NoAnswer, Web

#: Statuses of a server that refuses a login, or the lack of one.
_DENIED = (401, 403)
#: Older results are not evidence about now.
_FRESH = 60.0


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a server is and how to speak to it; `headers` may carry some of `secrets`."""

    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False)
    patience: float = 10.0
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def __str__(self) -> str:
        return shown(self.url)


async def query(web: Web, endpoint: Endpoint, promql: str, now: float) -> Result:
    """The one value of an instant query at `now` (POSIX seconds), or why there is none."""
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
    if found := denied(endpoint, answer.status):
        return found
    try:
        body: Any = orjson.loads(answer.body)
        if body["status"] != "success":
            return _refused(endpoint, body)
        return _value(body["data"], now)
    except (orjson.JSONDecodeError, KeyError, TypeError, IndexError, ValueError):
        return _failed(f"Prometheus at {endpoint}: status {answer.status}, not its answer")


def _refused(endpoint: Endpoint, body: Any) -> Missing:
    message, kind = quoted(body.get("error", "")), quoted(body.get("errorType"), 50)
    if kind == "bad_data":
        return Missing(f"the query is wrong: {message}", error=True, reason="InvalidQuery")
    return _failed(f"Prometheus at {endpoint}: {kind}: {message}")


def _value(data: Any, now: float) -> Result:
    kind, found = data["resultType"], data["result"]
    if kind == "vector":
        if not found:
            return Missing("the query gives no value")
        if len(found) > 1:
            text = f"the query gives {len(found)} series: join them, as with sum()"
            return Missing(text, error=True, reason="InvalidQuery")
        at, text = found[0]["value"]
    elif kind == "scalar":
        at, text = found
    else:
        text = f"the query gives a {quoted(kind, 50)}: an instant vector or a scalar is needed"
        return Missing(text, error=True, reason="InvalidQuery")
    age = now - float(at)
    if age > _FRESH:
        return Missing(f"the value is {age:.0f}s old")
    return Reading(float(text))


def denied(endpoint: Endpoint, status: int) -> Missing | None:
    """What is told of a server that answers only those whom it knows."""
    if status not in _DENIED:
        return None
    known = "Authorization" in endpoint.headers
    why = "the login is refused" if known else "a login is missing: authentication.secretName"
    return Missing(f"{endpoint}: status {status}: {why}", error=True, reason="AccessDenied")


def _failed(message: str, reason: str = "QueryFailed") -> Missing:
    return Missing(message, error=True, reason=reason)
