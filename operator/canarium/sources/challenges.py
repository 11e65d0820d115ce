"""The schemes of a server that asks for credentials: the header WWW-Authenticate (RFC 9110, 11.6).

A header may list several schemes, and an answer may have several of these headers. What is parsed
is bounded, and each character is read a fixed number of times: a hostile server costs the event
loop nothing that others would notice.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

#: Characters that are parsed of all headers of an answer together.
_LONGEST = 4096
#: A scheme, or a parameter with its value. The first attempt at each position succeeds, so that
#: there is nothing to backtrack into.
_PART = re.compile(r'([\w-]+)(?:\s?=\s?(?:"([^"]*)"|([^\s,"]*)))?', re.ASCII)


def challenges(headers: Iterable[str]) -> Mapping[str, Mapping[str, str]]:
    """Returns scheme → parameters, all names in lower case; the first of equal names counts."""
    schemes: dict[str, dict[str, str]] = {}
    fields: dict[str, str] = {}
    for part in _PART.finditer(", ".join(headers)[:_LONGEST]):
        name, value, plain = part.groups()
        if value is None and plain is None:
            fields = {}
            schemes.setdefault(name.lower(), fields)
        else:
            fields.setdefault(name.lower(), plain if value is None else value)
    return schemes
