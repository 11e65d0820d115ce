"""The content digest of a folder: what `spec.model.digest` names (decision 0008).

The digest is the SHA-256 of the lines that `sha256sum` prints for all files, sorted by the bytes
of their paths, so that anybody can compute it without us:

    find -L . -type f -printf '%P\\0' | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from canarium.fetch.errors import FetchError
from canarium.fetch.paths import safe

PATTERN = re.compile(r"sha256:[0-9a-f]{64}")
_BLOCK = 1 << 20
#: What a file system keeps at its root for its own repairs, as a rule for root alone.
_FOUND = "lost+found"


@dataclass(frozen=True, slots=True)
class Summary:
    """A tree's digest, how many files it has, and their bytes.

    `hashes` has the SHA-256 of each file in hex, None for a link to a folder.
    """

    digest: str
    files: int
    size: int
    hashes: Mapping[str, str | None] = field(default_factory=dict, compare=False, repr=False)


def of_file(path: Path, progress: Callable[[int], None] = lambda _: None) -> str:
    """Returns the SHA-256 of a file in hex; calls `progress` with the size of each block."""
    digest = hashlib.sha256()
    with path.open("rb") as source:
        while block := source.read(_BLOCK):
            digest.update(block)
            progress(len(block))
    return digest.hexdigest()


def of_tree(root: Path, progress: Callable[[int], None] = lambda _: None) -> Summary:
    """Returns the summary of everything below `root`, independent of times, owners, modes and
    order.

    A link to a file counts as that file. A link to a folder counts by its text, since its files are
    counted where they are. Raises FetchError for links that leave `root`, dangle, or for anything
    that is neither file, folder nor link.
    """
    whole = hashlib.sha256()
    count = size = 0
    hashes: dict[str, str | None] = {}
    for name, path in sorted(_files(root, root), key=lambda file: os.fsencode(file[0])):
        if path.is_dir():
            text = f"link:{os.readlink(path)}"
            line = hashlib.sha256(os.fsencode(text)).hexdigest()
            hashes[name] = None
        else:
            hashes[name] = line = of_file(path, progress)
            size += path.stat().st_size
        whole.update(_line(line, name).encode("utf-8", "surrogateescape"))
        count += 1
    return Summary(f"sha256:{whole.hexdigest()}", count, size, hashes)


def check(root: Path) -> None:
    """Raises FetchError when a name or a link below `root` is not safe; reads no content."""
    for _ in _files(root, root):
        pass


def _line(digest: str, name: str) -> str:
    """Returns the line as `sha256sum` prints it: a backslash in a name is escaped, and the line
    marked."""
    if "\\" in name:
        return f"\\{digest}  {name.replace(chr(92), chr(92) * 2)}\n"
    return f"{digest}  {name}\n"


def _files(folder: Path, root: Path) -> Iterator[tuple[str, Path]]:
    """Files and links with their relative names, in no order."""
    base = os.path.realpath(root)
    with os.scandir(folder) as scan:
        entries = list(scan)
    for entry in entries:
        path = Path(entry.path)
        name = safe(os.path.relpath(entry.path, root))
        mode = entry.stat(follow_symlinks=False).st_mode
        if stat.S_ISLNK(mode):
            real = os.path.realpath(path)
            if real != base and not real.startswith(base + os.sep):
                raise FetchError("UnsafePath", f"{name!r} is a link that leaves the model's folder")
            if not os.path.exists(real):
                raise FetchError("CorruptArtifact", f"{name!r} is a dangling link")
            yield name, path
        elif name == _FOUND and not os.access(path, os.R_OK | os.X_OK):
            continue
        elif stat.S_ISDIR(mode):
            yield from _files(path, root)
        elif stat.S_ISREG(mode):
            yield name, path
        else:
            raise FetchError("UnsafePath", f"{name!r} is neither a file, a folder nor a link")
