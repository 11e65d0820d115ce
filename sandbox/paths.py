"""Where a sandbox keeps its state, and where what is built once is cached."""

from __future__ import annotations

import fcntl
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,28}[a-z0-9])?")
DEFAULT_NAME = "canarium"


def cache() -> Path:
    """The user's cache folder for binaries, image layers and a downloaded toolchain."""
    return _base("XDG_CACHE_HOME", ".cache")


def states() -> Path:
    """The folder that holds one folder per sandbox."""
    return _base("XDG_STATE_HOME", ".local/state")


def folder(name: str) -> Path:
    """The state folder of the sandbox `name` (it may not exist). Raises ValueError."""
    if not _NAME.fullmatch(name):
        raise ValueError(f"{name!r}: a sandbox's name is 1–30 of a-z, 0-9 and inner dashes")
    return states() / name


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Holds the lock file `path`, alone among all processes; removes it afterwards."""
    path.parent.mkdir(parents=True, exist_ok=True)
    while True:
        with path.open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            # The holder before us may have removed the file that we waited for: then another
            # process can lock a new one at the same time, so only the file in place counts.
            if _inode(path) != os.fstat(lock.fileno()).st_ino:
                continue
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return


def _inode(path: Path) -> int | None:
    try:
        return path.stat().st_ino
    except FileNotFoundError:
        return None


def _base(variable: str, otherwise: str) -> Path:
    named = os.environ.get(variable)
    return (Path(named) if named else Path.home() / otherwise) / "canarium"
