"""Reads values of the API external.metrics.k8s.io, which adapters serve behind the API server.

Theory: the operator asks with its own rights, in the model's namespace. The answer comes from a
server that is not the API server, so it may be slow, large or invalid, and its failures do not mean
that the API server is overloaded: requests take turns with the other requests of the namespace
instead (R31), their number and rate are limited, fairly between namespaces, and the answer is
bounded.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import quote

import orjson

from canarium.api.reasons import CheckReason
from canarium.core.evidence.measures import Missing, Reading, Result
from canarium.kube.client import Api
from canarium.kube.errors import ApiError
from canarium.untrusted.quoting import quoted

GROUP = "external.metrics.k8s.io"
#: Bytes of an answer, which is parsed on the event loop: some 500 series.
_LONGEST = 256 << 10
#: Seconds that a timestamp may precede its value: it has whole seconds.
_ROUNDING = 1.0
_QUANTITY = re.compile(
    r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(n|u|m|k|M|G|T|P|E|[KMGTPE]i|[eE][+-]?[0-9]+)?"
)
_SCALES = {"n": 1e-9, "u": 1e-6, "m": 1e-3, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15} | {
    f"{letter}i": 1024.0**power for power, letter in enumerate("KMGTPE", 1)
}
_SCALES["E"] = 1e18


async def read(
    api: Api,
    turn: asyncio.Semaphore,
    namespace: str,
    metric: str,
    selector: Mapping[str, str],
    *,
    patience: float,
    start: float,
) -> Result:
    """Returns the only value of `metric` that `selector` matches, if it is from `start` (POSIX
    seconds) or later; otherwise why there is none. `patience` is in seconds."""
    path = f"/apis/{GROUP}/v1beta1/namespaces/{namespace}/{quote(metric, safe='')}"
    query = {"labelSelector": ",".join(f"{k}={v}" for k, v in selector.items())} if selector else {}
    async with turn:
        try:
            content = await api.read(
                path, query, namespace=namespace, longest=_LONGEST, patience=patience
            )
        except ApiError as error:
            reason = CheckReason.ACCESS_DENIED if error.status == 403 else CheckReason.QUERY_FAILED
            return _failed(error.message or error.reason, reason)
    return parsed(content, start)


def parsed(content: bytes, start: float) -> Result:
    """Returns the value in an ExternalMetricValueList, or why there is none."""
    try:
        items = orjson.loads(content)["items"] or []
        if len(items) != 1:
            return _not_one(len(items))
        value, at = _number(items[0]["value"]), _time(items[0]["timestamp"])
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        text = f"{GROUP}: the answer is not a list of values"
        return Missing(text, error=True, reason=CheckReason.INVALID_ANSWER)
    if not math.isfinite(value):
        return Missing("the value is not a finite number")
    if at + _ROUNDING < start:
        return Missing(f"the value is {start - at:.0f}s older than the window")
    return Reading(value)


def _not_one(count: int) -> Missing:
    if not count:
        return Missing("no series of the metric matches the selector", reason=CheckReason.NO_MATCH)
    text = f"{count} series of the metric match the selector: select one"
    return Missing(text, error=True, reason=CheckReason.INVALID_QUERY)


def _number(quantity: Any) -> float:
    """Returns the number of a quantity such as 1500m. Raises ValueError."""
    match = _QUANTITY.fullmatch(str(quantity))
    if not match:
        raise ValueError("not a quantity")
    digits, suffix = match.groups(default="")
    if suffix in _SCALES:
        return float(digits) * _SCALES[suffix]
    return float(digits + suffix)


def _time(text: str) -> float:
    """Returns the POSIX seconds of a timestamp in RFC 3339. Raises ValueError or TypeError."""
    return datetime.fromisoformat(text).timestamp()


def _failed(words: str, reason: CheckReason = CheckReason.QUERY_FAILED) -> Missing:
    return Missing(f"{GROUP}: {quoted(words, 500)}", error=True, reason=reason)
