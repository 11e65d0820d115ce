"""JSON paths (RFC 9535): where in an answer a value is."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from jsonpath_rfc9535 import JSONPathEnvironment, JSONPathError
from jsonpath_rfc9535.query import JSONPathQuery


class BadPath(ValueError):
    """A JSON path does not parse; the text has the path and the place."""


class _Environment(JSONPathEnvironment):
    """Without `match` and `search`: users' regular expressions can run for ever."""

    def setup_function_extensions(self) -> None:
        super().setup_function_extensions()
        del self.function_extensions["match"], self.function_extensions["search"]


@lru_cache(maxsize=256)
def compiled(path: str) -> JSONPathQuery:
    """The query that `path` means. Raises BadPath."""
    try:
        return _Environment().compile(path)
    except JSONPathError as error:
        raise BadPath(f"{path!r} is no JSON path (RFC 9535): {error}") from error


def values(path: str, document: Any) -> list[Any]:
    """All values that `path` matches in `document`. Raises BadPath."""
    try:
        return list(compiled(path).find(document).values())
    except JSONPathError as error:
        raise BadPath(f"{path!r} cannot be looked up: {error}") from error
