"""Settings of the C library's allocator, so that memory which a peak needed is returned."""

from __future__ import annotations

import ctypes
import sys

#: Parameters of mallopt(3) of glibc, with their values in bytes. Setting either ends the automatic
#: adjustment, which raises both to the size of the largest block that was ever freed: after the
#: first list of all models, megabytes stayed with the process.
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
_SETTINGS = {_TRIM_THRESHOLD: 128 * 1024, _MMAP_THRESHOLD: 64 * 1024}


def return_freed_memory() -> bool:
    """Returns freed blocks of 64 KiB and more to the system at once; whether that was possible.

    Another C library (musl, macOS) has no such setting and is left as it is. An administrator's
    MALLOC_* variables are read before `main`, and are replaced.
    """
    if not sys.platform.startswith("linux"):
        return False
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is None:
        return False
    return all(mallopt(parameter, value) == 1 for parameter, value in _SETTINGS.items())
