"""Checks that no identifier is a word that hides what it holds (style rule 7)."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Set

from prose.texts import parsed

#: Folders, relative to the repository, whose identifiers are checked for all words.
CHECKED = ("bench", "cli", "demo", "dev", "e2e", "examples", "operator", "sandbox")
#: As whole identifiers only: `not_found` is clear.
WORDS = frozenset({"asked", "door", "found", "judged", "looked", "made", "said", "taken", "told"})
#: In the tests only words that no reader would know as a term.
WORDS_IN_TESTS = frozenset({"basis", "befall", "befalls", "deed", "deeds", "temper", "told"})
ADVICE = "name what it holds: a match, a route, a failure, the object"


def vague(content: str, words: Set[str] = WORDS) -> Iterator[tuple[int, str]]:
    """Yields line and name of each definition in a module whose name is one of `words`.

    Definitions are variables, parameters, attributes, functions and classes. Leading and trailing
    underscores are ignored. Uses are not reported: other libraries have such attributes.
    """
    for node in ast.walk(parsed(content)):
        match node:
            case (
                ast.Name(id=name, ctx=ast.Store())
                | ast.Attribute(attr=name, ctx=ast.Store())
                | ast.arg(arg=name)
                | ast.FunctionDef(name=name)
                | ast.AsyncFunctionDef(name=name)
                | ast.ClassDef(name=name)
                | ast.ExceptHandler(name=str(name))
                | ast.MatchAs(name=str(name))
                | ast.alias(asname=str(name))
            ):
                if name.strip("_") in words:
                    yield node.lineno, name
