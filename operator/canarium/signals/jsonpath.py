"""JSON paths (RFC 9535): where in an answer a value is.

The library is imported when the first path is read: most operators read none, and it takes 2 MB.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from jsonpath_rfc9535 import JSONPathEnvironment
    from jsonpath_rfc9535.query import JSONPathQuery


class BadPath(ValueError):
    """A JSON path does not parse; the text has the path and the place."""


@cache
def _environment() -> JSONPathEnvironment:
    """Without `match` and `search`: users' regular expressions can run for ever."""
    from jsonpath_rfc9535 import JSONPathEnvironment

    environment = JSONPathEnvironment()
    del environment.function_extensions["match"], environment.function_extensions["search"]
    return environment


@lru_cache(maxsize=256)
def compiled(path: str) -> JSONPathQuery:
    """The query that `path` means. Raises BadPath."""
    from jsonpath_rfc9535 import JSONPathError

    try:
        return _environment().compile(path)
    except JSONPathError as error:
        raise BadPath(f"{path!r} is no JSON path (RFC 9535): {error}") from error


def values(path: str, document: Any) -> list[Any]:
    """All values that `path` matches in `document`. Raises BadPath."""
    from jsonpath_rfc9535 import JSONPathError

    try:
        return list(compiled(path).find(document).values())
    except JSONPathError as error:
        raise BadPath(f"{path!r} cannot be looked up: {error}") from error
