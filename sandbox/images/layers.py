"""Layers: tar files in the cache, one per content."""

from __future__ import annotations

import hashlib
import io
import os
import stat
import tarfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from sandbox import paths

_IGNORED = ("__pycache__", "*.pyc", ".git", ".venv")


class LayerFailed(RuntimeError):
    """A layer could not be made; the text ends with the last lines of the tool that failed."""


@dataclass(frozen=True, slots=True)
class Layer:
    """An uncompressed tar and the SHA-256 of its bytes, in hex."""

    path: Path
    digest: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A file, folder or symbolic link at an absolute `path` inside an image."""

    path: str
    mode: int
    content: bytes | Path | None = None
    link: str = ""


def files(contents: Mapping[str, str | bytes | Path], *, executable: tuple[str, ...] = ()) -> Layer:
    """A layer of files by their absolute path; a Path as content is copied, folders with all below.

    Files of the host keep their mode's execute bit; of the others, those in `executable` get one.
    """
    entries: list[Entry] = []
    for path, content in contents.items():
        if isinstance(content, Path):
            entries += _from_host(content, PurePosixPath(path), _IGNORED)
            continue
        data = content.encode() if isinstance(content, str) else content
        entries.append(Entry(path, 0o755 if path in executable else 0o644, data))
    return of_entries(entries)


def folder(source: Path, at: str, *, ignore: tuple[str, ...] = _IGNORED) -> Layer:
    """A layer of the host's folder `source`, placed at `at`; `ignore` are patterns of names."""
    return of_entries(list(_from_host(source, PurePosixPath(at), ignore)))


def of_entries(entries: list[Entry]) -> Layer:
    """A layer of exactly `entries` and the folders above them, cached by their content."""
    ordered = _ordered(entries)
    key = hashlib.sha256()
    for entry in ordered:
        content = entry.content
        data = content.read_bytes() if isinstance(content, Path) else content or b""
        key.update(repr((entry.path, entry.mode, entry.link, len(data))).encode())
        key.update(data)

    return cached(f"files-{key.hexdigest()[:32]}", lambda path: write_entries(path, ordered))


def write_entries(path: Path, entries: list[Entry]) -> None:
    """Writes a tar of `entries` and the folders above them; the same entries, the same bytes."""
    with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as archive:
        for entry in _ordered(entries):
            _add(archive, entry)


def cached(key: str, make: Callable[[Path], None]) -> Layer:
    """The layer cached as `key`; where there is none, `make` writes its tar to a given path."""
    target = paths.cache() / "layers" / f"{key}.tar"
    digest = target.with_suffix(".sha256")
    if not digest.exists():
        with paths.locked(target.with_suffix(".lock")):
            if not digest.exists():
                unfinished = target.with_suffix(".part")
                make(unfinished)
                with unfinished.open("rb") as written:
                    actual = hashlib.file_digest(written, "sha256").hexdigest()
                unfinished.replace(target)
                # Written last: a layer is whole once its digest is there.
                digest.write_text(actual)
    return Layer(target, digest.read_text())


def tree(source: Path, at: str) -> list[Entry]:
    """The entries of everything below `source`, placed at `at`; nothing is ignored."""
    return list(_from_host(source, PurePosixPath(at), ()))


def _from_host(source: Path, at: PurePosixPath, ignore: tuple[str, ...]) -> Iterator[Entry]:
    if source.is_symlink():
        yield Entry(str(at), 0o777, link=os.readlink(source))
    elif source.is_dir():
        yield Entry(str(at), 0o755)
        for child in sorted(source.iterdir()):
            if not any(fnmatch(child.name, pattern) for pattern in ignore):
                yield from _from_host(child, at / child.name, ignore)
    else:
        runs = source.stat().st_mode & stat.S_IXUSR
        yield Entry(str(at), 0o755 if runs else 0o644, source)


def _ordered(entries: list[Entry]) -> list[Entry]:
    whole = {entry.path: entry for entry in [*_parents(entries), *entries]}
    return [whole[path] for path in sorted(whole)]


def _parents(entries: list[Entry]) -> Iterator[Entry]:
    for entry in entries:
        for parent in PurePosixPath(entry.path).parents:
            if str(parent) != "/":
                yield Entry(str(parent), 0o755)


def _add(archive: tarfile.TarFile, entry: Entry) -> None:
    # Owner root and time zero: the same entries give the same bytes on every machine.
    header = tarfile.TarInfo(entry.path.lstrip("/"))
    header.mode = entry.mode
    if entry.link:
        header.type, header.linkname = tarfile.SYMTYPE, entry.link
        archive.addfile(header)
    elif entry.content is None:
        header.type = tarfile.DIRTYPE
        archive.addfile(header)
    elif isinstance(entry.content, Path):
        header.size = entry.content.stat().st_size
        with entry.content.open("rb") as source:
            archive.addfile(header, source)
    else:
        header.size = len(entry.content)
        archive.addfile(header, io.BytesIO(entry.content))
