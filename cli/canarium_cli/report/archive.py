"""The archive of a report: a gzipped tar file that only its owner may read."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path


def write_archive(path: Path, folder: str, files: dict[str, str]) -> None:
    """Writes `files` below `folder` into a new archive.

    Raises FileExistsError if the path exists, OSError if it cannot be written.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as out, tarfile.open(fileobj=out, mode="w:gz") as archive:
        for name, content in sorted(files.items()):
            body = content.encode()
            entry = tarfile.TarInfo(f"{folder}/{name}")
            entry.size, entry.mode = len(body), 0o600
            archive.addfile(entry, io.BytesIO(body))
