"""JSON as the API server writes it, for data whose bytes must survive other clients.

A ControllerRevision's `data` is immutable by its bytes, not by its value. The API server stores the
bytes that the creating client sent; a strategic merge patch of anything in the object (the garbage
collector's when it orphans, `kubectl edit`'s) decodes and encodes `data` again with Go's
`encoding/json`, and is rejected if the bytes differ. Bytes in the form that Go writes stay
unchanged:

* keys sorted by their UTF-8 bytes, no spaces;
* `<`, `>`, `&`, U+2028 and U+2029 escaped as `\\u003c` and so on, all other text as it is;
* a number that fits an int64 without fraction or exponent; any other one as a float64, in plain
  notation between 1e-6 and 1e21, else with an exponent (`1e-7`, `1e+21`).
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson

_INT64 = range(-(2**63), 2**63)
#: Go escapes these so that JSON can be embedded in HTML and JavaScript. They occur in JSON only
#: inside strings.
_ESCAPED = (
    (b"<", b"\\u003c"),
    (b">", b"\\u003e"),
    (b"&", b"\\u0026"),
    ("\u2028".encode(), b"\\u2028"),
    ("\u2029".encode(), b"\\u2029"),
)


def encoded(value: Any) -> bytes:
    """Returns `value` as the API server would write it after reading it."""
    text = orjson.dumps(_numbers(value), option=orjson.OPT_SORT_KEYS)
    for plain, escaped in _ESCAPED:
        text = text.replace(plain, escaped)
    return text


def normalized(value: Any) -> Any:
    """Returns `value` as it is read back once the API server has written it: 1.0 becomes 1."""
    return orjson.loads(encoded(value))


def is_canonical(value: Any) -> bool:
    """Returns whether the object keys of `value`, in the order in which they were read, are sorted.

    The other rules are not visible in a response of the API server, which applies them to
    everything it stores. Only the order is, and a tool that restores objects may not sort.
    """
    if isinstance(value, dict):
        keys = list(value)
        return keys == sorted(keys) and all(is_canonical(item) for item in value.values())
    return not isinstance(value, list) or all(is_canonical(item) for item in value)


def _numbers(value: Any) -> Any:
    """Replaces each number that orjson would write differently than Go does."""
    if isinstance(value, dict):
        return {key: _numbers(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_numbers(item) for item in value]
    if isinstance(value, float) or (type(value) is int and value not in _INT64):
        return _number(float(value))
    return value


def _number(value: float) -> Any:
    if value.is_integer() and int(value) in _INT64:
        return int(value)
    if 1e-6 <= abs(value) < 1e21:
        # Both languages write the shortest digits that lead back to the same float.
        return orjson.Fragment(format(Decimal(repr(value)), "f").removesuffix(".0").encode())
    return orjson.Fragment(repr(value).replace("e-0", "e-").encode())
