"""The answer of a Prometheus server, reduced to one value or to why there is none."""

from __future__ import annotations

import math
from typing import Any

from canarium.evaluation.documents import parsed
from canarium.evaluation.errors import ErrorReason, EvaluationError

_LONGEST_TEXT = 500


def reduced(body: bytes) -> dict[str, Any]:
    """Returns `kind` (value, empty, many, type, refused) and details. Raises EvaluationError."""
    answer = parsed(body)
    try:
        if answer["status"] != "success":
            kind = answer.get("errorType")
            text = str(answer.get("error", ""))[:_LONGEST_TEXT]
            return {"kind": "refused", "type": str(kind)[:64], "text": text}
        return _value(answer["data"])
    except (AttributeError, KeyError, TypeError, IndexError, ValueError, OverflowError) as error:
        raise EvaluationError(ErrorReason.UNREADABLE, "not an answer of Prometheus") from error


def _value(data: Any) -> dict[str, Any]:
    kind, result = data["resultType"], data["result"]
    if kind == "vector":
        if not result:
            return {"kind": "empty"}
        if len(result) > 1:
            return {"kind": "many", "count": len(result)}
        at, text = result[0]["value"]
    elif kind == "scalar":
        at, text = result
    else:
        return {"kind": "type", "type": str(kind)[:64]}
    moment, value = float(at), float(text)
    if not math.isfinite(moment):
        raise ValueError(at)
    # JSON has no NaN and no infinity.
    return {"kind": "value", "at": moment, "value": repr(value)}
