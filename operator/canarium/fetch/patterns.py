"""Which files of a source belong to the model, by the patterns of `spec.model`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase

from canarium.fetch.source import Source, SourceFile


@dataclass(frozen=True, slots=True)
class Patterns:
    """Shell patterns of paths below the URI, as the hub's own client reads them: `*` matches
    slashes too, and `folder/` is everything below it.
    """

    allow: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.allow or self.ignore)

    def takes(self, path: str) -> bool:
        """Returns whether a file is part of the model: allowed, where anything is, and not
        ignored."""
        allowed = not self.allow or any(_matches(path, pattern) for pattern in self.allow)
        return allowed and not any(_matches(path, pattern) for pattern in self.ignore)


def _matches(path: str, pattern: str) -> bool:
    return fnmatchcase(path, f"{pattern}*" if pattern.endswith("/") else pattern)


class Selected:
    """A source that has only the files that `patterns` take."""

    def __init__(self, source: Source, patterns: Patterns) -> None:
        self._source, self._patterns = source, patterns

    @property
    def ranges(self) -> bool:
        return self._source.ranges

    def entries(self) -> list[SourceFile]:
        return [entry for entry in self._source.entries() if self._patterns.takes(entry.path)]

    def read(self, entry: SourceFile, start: int, end: int) -> bytes:
        return self._source.read(entry, start, end)

    def stream(self, entry: SourceFile) -> Iterator[bytes]:
        return self._source.stream(entry)
