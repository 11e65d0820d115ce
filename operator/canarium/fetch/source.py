"""What a model consists of where it lives, and how its bytes are read."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from canarium.api.uri import ARCHIVES


@dataclass(frozen=True, slots=True)
class SourceFile:
    """A file: its relative `path` in the model, and its name in the source (`where`).

    `size` is in bytes, None if the source does not provide it. `ident` changes when the bytes do
    (an ETag, a generation); empty if the source has none. `sha256` is set by some sources.
    `archive` is `tar` or `zip` if the file is unpacked in the folder of `path`.
    """

    path: str
    where: str
    size: int | None
    ident: str = ""
    sha256: str | None = None
    archive: str | None = None


class Source(Protocol):
    """A place that models are fetched from. Its methods raise what their libraries raise."""

    @property
    def ranges(self) -> bool:
        """Whether a part of a file can be requested; if not, a broken download starts from the
        beginning."""
        ...

    def entries(self) -> list[SourceFile]:
        """Returns all files, listed again at each call."""
        ...

    def read(self, entry: SourceFile, start: int, end: int) -> bytes:
        """Returns the bytes from `start` to `end` (exclusive); called by several threads."""
        ...

    def stream(self, entry: SourceFile) -> Iterator[bytes]:
        """Yields the whole file in blocks."""
        ...


def archive_of(name: str) -> str | None:
    """Returns the kind of archive by the name of a file, None if it is not an archive."""
    lower = name.lower()
    return next((kind for ending, kind in ARCHIVES.items() if lower.endswith(ending)), None)
