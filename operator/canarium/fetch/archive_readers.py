"""Reading archives in bounded memory: what their headers announce is not read into memory."""

from __future__ import annotations

import bz2
import io
import lzma
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from canarium.fetch.errors import FetchError

_BLOCK = 1 << 20
#: All headers of one entry of a tar: its names, and attributes that are not used here.
_HEADERS = 1 << 20
#: A zip's list of entries: 100,000 with names of 200 bytes.
_LIST = 32 << 20
_REASON = "UnsafeArchive"


class TarStream:
    """Decompressed tar stream for `tarfile`, which reads headers of any size at once.

    `passed` receives the number of bytes read, including bytes that belong to no file.
    """

    def __init__(self, raw: Any, passed: Callable[[int], None]) -> None:
        self._raw, self._passed = raw, passed
        self._at = self._headers = 0
        self._in_headers = True

    def headers(self, yes: bool) -> None:
        """Returns whether an entry's headers are read from here on; else its content, block by
        block."""
        self._in_headers, self._headers = yes, 0

    def tell(self) -> int:
        return self._at

    def seek(self, at: int) -> int:
        """Moves forward only; a negative entry size would loop forever."""
        if at < self._at:
            raise tarfile.StreamError("an entry lies before the one that it follows")
        while self._at < at and self._next(min(_BLOCK, at - self._at)):
            pass
        return self._at

    def read(self, size: int) -> bytes:
        if self._in_headers:
            self._headers += max(size, 0)
            if self._headers > _HEADERS:
                raise FetchError(_REASON, f"an entry has headers of more than {_HEADERS} bytes")
        return self._next(size)

    def _next(self, size: int) -> bytes:
        # A decompressor may give less than it is asked for.
        content = bytearray()
        while len(content) < size:
            block = self._raw.read(size - len(content))
            if not block:
                break
            content += block
        self._at += len(content)
        self._passed(self._at)
        return bytes(content)


@contextmanager
def tar_entries(
    path: Path, passed: Callable[[int], None]
) -> Iterator[tuple[tarfile.TarFile, Iterator[tarfile.TarInfo]]]:
    """Yields a tar and its entries, each to be read before the next one."""
    with _decompressed(path) as raw:
        stream = TarStream(raw, passed)
        with tarfile.TarFile(fileobj=stream) as archive:  # type: ignore[arg-type]

            def entries() -> Iterator[tarfile.TarInfo]:
                while True:
                    stream.headers(True)
                    entry = archive.next()
                    if entry is None:
                        return
                    # Else the headers of all entries are kept.
                    archive.members.clear()  # type: ignore[attr-defined]
                    stream.headers(False)
                    yield entry

            yield archive, entries()


def _decompressed(path: Path) -> Any:
    """Opens a compressed file by its first bytes, not by its name; zstd needs its library."""
    with path.open("rb") as head:
        magic = head.read(6)
    if magic.startswith(b"\x1f\x8b"):
        import gzip

        return gzip.open(path, "rb")
    if magic.startswith(b"BZh"):
        return bz2.open(path, "rb")
    if magic.startswith(b"\xfd7zXZ"):
        return lzma.open(path, "rb")
    if magic.startswith(b"\x28\xb5\x2f\xfd"):
        from backports import zstd

        return zstd.open(path, "rb")
    return path.open("rb")


class ZipBytes(io.FileIO):
    """A zip for `zipfile`, which reads the list of all entries at once."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is not None and size > _LIST:
            raise FetchError(_REASON, f"the archive's list of entries has more than {_LIST} bytes")
        return super().read(-1 if size is None else size) or b""
