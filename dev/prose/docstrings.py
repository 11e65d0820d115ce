"""Checks that the docstring of a function begins with a verb in the third person."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from prose.texts import parsed

_VERB = re.compile(r"[A-Z][a-z]+s")
#: Words of that form that are not verbs.
_OTHERS = frozenset(
    {"As", "Events", "Has", "Images", "Its", "Pods", "Resources", "Seconds", "This"}
)
ADVICE = "begin with a verb: Returns, Yields, Waits"


def without_verb(content: str) -> Iterator[tuple[int, str]]:
    """Yields line and first word of each docstring of a function that lacks a verb.

    Properties are named by nouns, and so are fixtures.
    """
    for node in ast.walk(parsed(content)):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        text = ast.get_docstring(node)
        names = " ".join(ast.unparse(decorator) for decorator in node.decorator_list)
        if not text or "property" in names or "fixture" in names:
            continue
        word = text.split()[0].rstrip(",.:;")
        if not _VERB.fullmatch(word) or word in _OTHERS:
            yield node.body[0].lineno, word
