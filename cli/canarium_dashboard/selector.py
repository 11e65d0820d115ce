"""Label selectors, as kubectl accepts them with `-l`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

_KEY = r"[A-Za-z0-9]([A-Za-z0-9._/-]{0,315}[A-Za-z0-9])?"
_VALUE = r"[A-Za-z0-9._-]{0,63}"
_EXISTS = re.compile(rf"(!?)\s*({_KEY})")
_EQUAL = re.compile(rf"({_KEY})\s*(==|=|!=)\s*({_VALUE})")
_AMONG = re.compile(rf"({_KEY})\s+(in|notin)\s*\(([^()]*)\)")
_SPLIT = re.compile(r",(?![^(]*\))")

Labels = Mapping[str, Any]


def matcher(text: str) -> Callable[[Labels], bool]:
    """Returns a function that checks whether labels match the selector; an empty one matches all.

    Raises ValueError with the part that is not a selector.
    """
    tests = [_one(part.strip()) for part in _SPLIT.split(text) if part.strip()]
    return lambda labels: all(test(labels) for test in tests)


def _one(part: str) -> Callable[[Labels], bool]:
    if match := _EXISTS.fullmatch(part):
        absent, key = bool(match[1]), match[2]
        return lambda labels: (key in labels) != absent
    if match := _EQUAL.fullmatch(part):
        name, differs, value = match[1], match[3] == "!=", match[4]
        return lambda labels: (labels.get(name) == value) != differs
    if match := _AMONG.fullmatch(part):
        label, out = match[1], match[3] == "notin"
        values = {x.strip() for x in match[4].split(",")}
        if all(re.fullmatch(_VALUE, x) for x in values):
            return lambda labels: (labels.get(label) in values) != out
    raise ValueError(f"{part!r} is not a label selector such as team=risk or tier in (a, b)")
