"""Fills in variables of queries, such as `{{ revision }}`.

A pattern replaces names in one pass, in time linear in the text: users write these texts, and they
are filled in on the event loop (R31). No template language is involved.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from canarium.untrusted.quoting import quoted

#: A variable, or the start of any other placeholder or statement.
_PLACEHOLDER = re.compile(r"\{\{[ \t]{0,16}([A-Za-z_][A-Za-z0-9_]{0,63})[ \t]{0,16}\}\}|\{\{|\{%")
#: Characters of a text that an error shows from the fault on.
_SHOWN = 40


class BadTemplate(ValueError):
    """A template is invalid; the message has the error and the available names."""


def filled(text: str, names: Mapping[str, str]) -> str:
    """Returns `text` with `names` filled in. Raises BadTemplate."""

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name in names:
            return names[name]
        known = ", ".join(sorted(names))
        if name is not None:
            raise BadTemplate(f"{name!r} is undefined; there are: {known}")
        shown = quoted(text[match.start() : match.start() + _SHOWN], _SHOWN)
        raise BadTemplate(f"only names such as {{{{ revision }}}}, not {shown}; there are: {known}")

    return _PLACEHOLDER.sub(value, text)
