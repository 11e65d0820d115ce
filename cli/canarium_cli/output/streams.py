"""The standard streams: those that cannot be written, and those that the caller has closed."""

from __future__ import annotations

import errno
import os
import sys
from contextlib import suppress
from typing import TextIO

#: Errors of a write to a pipe, a file or a terminal.
_OF_WRITES = (
    errno.EPIPE, errno.ENOSPC, errno.EIO, errno.EBADF, errno.EFBIG, errno.EDQUOT, errno.EAGAIN,
)  # fmt: skip


def is_of_write(error: OSError) -> bool:
    """Whether a write to a stream failed: other errors name a file, or are about a connection."""
    return error.filename is None and error.errno in _OF_WRITES


def discard(stream: TextIO | None) -> None:
    """Lets writes to the stream, also of what it has buffered, have no effect."""
    with suppress(OSError, ValueError, AttributeError):
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, stream.fileno())  # type: ignore[union-attr]
        os.close(null)


def open_closed_streams() -> None:
    """Replaces streams that the caller has closed (`>&-`), which Python leaves as None."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode))  # noqa: SIM115 (open until the end)
