"""Names of files inside a model: relative, plain, and never leading outside its folder."""

from __future__ import annotations

import re

from canarium.fetch.errors import FetchError

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_LONGEST = 1024


def safe(name: str, *, reason: str = "UnsafePath") -> str:
    """Returns `name` as a relative POSIX path without `.` and empty parts.

    Raises FetchError for one that is absolute, contains `..`, is empty, has control characters, or
    is too long for a file system.
    """
    if name.startswith("/"):
        raise FetchError(reason, f"{_shown(name)} is an absolute path")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if ".." in parts:
        raise FetchError(reason, f"{_shown(name)} leads out of the model's folder")
    if not parts:
        raise FetchError(reason, f"{_shown(name)} is not a valid file name")
    if _CONTROL.search(name):
        raise FetchError(reason, f"{_shown(name)} has control characters")
    plain = "/".join(parts)
    encoded = plain.encode("utf-8", "surrogateescape")
    if len(encoded) > _LONGEST or any(len(part.encode()) > 255 for part in parts):
        raise FetchError(reason, f"{_shown(name[:80])}… is too long")
    return plain


def inside(link: str, target: str) -> bool:
    """Returns whether a symbolic link at `link` to `target` stays within the folder."""
    if target.startswith("/") or not target:
        return False
    depth: list[str] = link.split("/")[:-1]
    for part in target.split("/"):
        if part in ("", "."):
            continue
        if part == "..":
            if not depth:
                return False
            depth.pop()
        else:
            depth.append(part)
    return True


def _shown(name: str) -> str:
    return repr(name)
