"""Unpacks archives that may be hostile: nothing outside the folder, no bombs, no devices.

Python's own extraction filters are not used: they exist since 3.11.4, and vulnerabilities were
found in them since. Files are written by this module. Links are created last, after all files, and
are then checked as the kernel resolves them.
"""

from __future__ import annotations

import lzma
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from canarium.fetch.archive_readers import ZipBytes, tar_entries
from canarium.fetch.errors import FetchError
from canarium.fetch.paths import inside, safe

_BLOCK = 1 << 20
_REASON = "UnsafeArchive"
_WHITEOUT, _OPAQUE = ".wh.", ".wh..wh..opq"


@dataclass(frozen=True, slots=True)
class ArchiveLimits:
    """What an archive may grow to: entries, and bytes per byte of the archive.

    The ratio counts only above `floor` bytes, since small texts shrink well. A gzip stream
    cannot shrink by more than 1032, so the ratio must be below that to be of use.
    """

    entries: int = 100_000
    ratio: float = 200.0
    floor: int = 64 << 20


@dataclass
class _Writing:
    """An unpacking under way: what was written, and what remains to be linked."""

    root: Path
    archive: Path
    limits: ArchiveLimits
    progress: Callable[[int], None]
    room: Callable[[int], None]
    entries: int = 0
    size: int = 0
    links: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        packed = self.archive.stat().st_size
        self._most = max(self.limits.floor, int(packed * self.limits.ratio))

    def admit(self) -> None:
        self.entries += 1
        if self.entries > self.limits.entries:
            text = f"the archive has more than {self.limits.entries} entries"
            raise FetchError(_REASON, text)

    def grown(self, size: int) -> None:
        """Receives the size of the archive so far, including bytes that are not written."""
        if size > self._most:
            packed = self.archive.stat().st_size
            text = f"the archive of {packed} bytes unpacks to more than {self._most}"
            raise FetchError(_REASON, f"{text}: suspected decompression bomb")

    def folder(self, name: str) -> None:
        try:
            (self.root / name).mkdir(parents=True, exist_ok=True)
        except (FileExistsError, NotADirectoryError) as error:
            raise FetchError(_REASON, f"{name!r} is both a file and a folder") from error

    def file(self, name: str, content: IO[bytes]) -> None:
        """Writes a file; one that is there already is replaced, as an archive's later entry."""
        path = self.root / name
        if "/" in name:
            self.folder(name.rsplit("/", 1)[0])
        if path.is_dir():
            raise FetchError(_REASON, f"{name!r} is both a file and a folder")
        self.links.pop(name, None)
        path.unlink(missing_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
        with os.fdopen(os.open(path, flags, 0o644), "wb") as target:
            while block := content.read(_BLOCK):
                self.size += len(block)
                self.grown(self.size)
                target.write(block)
                self.progress(len(block))

    def link(self, name: str, target: str) -> None:
        if not inside(name, target):
            raise FetchError(
                _REASON, f"{name!r} is a link to {target!r}, out of the model's folder"
            )
        self.remove(name)
        self.links[name] = target

    def hardlink(self, name: str, target: str) -> None:
        source = self.root / target
        if target in self.links:
            self.links[name] = os.path.relpath(target, os.path.dirname(name) or ".")
            return
        if not source.is_file():
            raise FetchError(
                _REASON, f"{name!r} is a hard link to {target!r}, which does not exist"
            )
        with source.open("rb") as content:
            self.file(name, content)

    def remove(self, name: str) -> None:
        path = self.root / name
        below = f"{name}/"
        replaced = [link for link in self.links if link == name or link.startswith(below)]
        for link in replaced:
            del self.links[link]
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)

    def finish(self) -> None:
        """Creates the links and checks where the kernel resolves them to."""
        for name, target in self.links.items():
            path = self.root / name
            if "/" in name:
                self.folder(name.rsplit("/", 1)[0])
            if path.exists():
                raise FetchError(_REASON, f"{name!r} is both a link and a folder")
            # Its folder may itself be a link by now, and lead elsewhere.
            if not _within(path.parent, self.root):
                raise FetchError(_REASON, f"{name!r} lies behind a link out of the model's folder")
            path.symlink_to(target)
        for name in self.links:
            if not _within(self.root / name, self.root):
                raise FetchError(_REASON, f"{name!r} is a link out of the model's folder")


def _within(path: Path, root: Path) -> bool:
    base, real = os.path.realpath(root), os.path.realpath(path)
    return real == base or real.startswith(base + os.sep)


def unpack(
    archive: Path,
    kind: str,
    root: Path,
    limits: ArchiveLimits = ArchiveLimits(),
    progress: Callable[[int], None] = lambda _: None,
    *,
    room: Callable[[int], None] = lambda _: None,
    layered: bool = False,
) -> None:
    """Unpacks `archive` ("zip" or "tar", compressed or not) into `root`.

    `layered`: it is a layer of an image, whose whiteouts remove files of lower layers.
    `progress` receives the size of each block, `room` the number of bytes to be written, as the
    archive declares; either may raise FetchError. Raises FetchError; `root` is then not to be used.
    """
    root.mkdir(parents=True, exist_ok=True)
    writing = _Writing(root, archive, limits, progress, room)
    try:
        if kind == "zip":
            _zip(writing)
        else:
            _tar(writing, layered)
    except Exception as error:
        if _broken(error):
            raise FetchError("CorruptArtifact", f"the archive cannot be read: {error}") from error
        raise
    writing.finish()


def _broken(error: Exception) -> bool:
    """Returns whether `error` is a reader's word for a damaged, encrypted or unknown archive."""
    named = (tarfile.TarError, zipfile.BadZipFile, zlib.error, lzma.LZMAError, EOFError)
    # zipfile raises these for an unknown compression and for an encrypted member.
    if isinstance(error, (*named, NotImplementedError, RuntimeError)):
        return True
    # gzip and bz2 raise an OSError that no system call gave; zstd may not be installed.
    silent = isinstance(error, OSError) and error.errno is None
    return silent or type(error).__name__ == "ZstdError"


def _zip(writing: _Writing) -> None:
    with ZipBytes(writing.archive) as raw, zipfile.ZipFile(raw) as archive:
        declared = sum(info.file_size for info in archive.infolist())
        writing.grown(declared)
        writing.room(declared)
        for info in archive.infolist():
            writing.admit()
            mode = info.external_attr >> 16
            if info.is_dir():
                if info.filename.strip("/."):
                    writing.folder(safe(info.filename, reason=_REASON))
                continue
            name = safe(info.filename, reason=_REASON)
            with archive.open(info) as content:
                if stat.S_ISLNK(mode):
                    writing.link(name, content.read(4096).decode("utf-8", "surrogateescape"))
                elif stat.S_IFMT(mode) not in (0, stat.S_IFREG):
                    raise FetchError(_REASON, f"{name!r} is neither a file, a folder nor a link")
                else:
                    writing.file(name, content)


def _tar(writing: _Writing, layered: bool) -> None:
    with tar_entries(writing.archive, writing.grown) as (archive, entries):
        for member in entries:
            writing.admit()
            if member.isdir() and not member.name.strip("/."):
                continue
            # An image's layers name everything from the image's root.
            plain = member.name.lstrip("/") if layered else member.name
            name = safe(plain, reason=_REASON)
            folder, _, last = name.rpartition("/")
            if layered and last == _OPAQUE:
                writing.remove(folder)
            elif layered and last.startswith(_WHITEOUT):
                writing.remove(f"{folder}/{last.removeprefix(_WHITEOUT)}".lstrip("/"))
            elif member.isdir():
                writing.folder(name)
            elif member.isreg():
                writing.room(member.size)
                content = archive.extractfile(member)
                assert content is not None
                with content:
                    writing.file(name, content)
            elif member.issym():
                writing.link(name, member.linkname)
            elif member.islnk():
                plain = member.linkname.lstrip("/") if layered else member.linkname
                writing.hardlink(name, safe(plain, reason=_REASON))
            else:
                raise FetchError(_REASON, f"{name!r} is neither a file, a folder nor a link")
