"""One member of a tar.gz. No other one is ever written, and what is read is bounded."""

from __future__ import annotations

import gzip
import shutil
import tarfile
import zlib
from pathlib import Path

from sandbox.releases.failures import WrongContent

_SIZE = 1 << 30


class _Bounded(gzip.GzipFile):
    """A gzip file of at most `limit` decompressed bytes."""

    def __init__(self, path: Path, limit: int) -> None:
        super().__init__(path)
        self._rest = limit

    def read(self, size: int | None = -1) -> bytes:
        data = super().read(size)
        self._rest -= len(data)
        if self._rest < 0:
            raise WrongContent("the archive is larger than any release has: refused")
        return data


def extract(archive: Path, member: str, target: Path, limit: int = _SIZE) -> None:
    """Writes the file `member` of `archive` to `target`.

    Raises WrongContent if there is none, if it is a link or a device, and for an archive of more
    than `limit` bytes or that is not one.
    """
    names = []
    try:
        with (
            _Bounded(archive, limit) as stream,
            tarfile.open(fileobj=stream, mode="r|") as tar,
        ):
            for entry in tar:
                if entry.name != member:
                    names.append(entry.name)
                    continue
                content = tar.extractfile(entry) if entry.isreg() else None
                if content is None:
                    raise WrongContent(f"{member} is not a file in the archive")
                with target.open("wb") as file:
                    shutil.copyfileobj(content, file)
                return
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise WrongContent(f"not a readable tar.gz: {error}") from error
    raise WrongContent(f"{member} is not in the archive, which has {', '.join(names[:10])}")
