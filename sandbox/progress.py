"""Progress output of a sandbox: a live line on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TextIO


class Progress:
    """Prints steps on `stream`; a successful step is followed by its seconds."""

    def __init__(self, stream: TextIO | None = None, *, quiet: bool = False) -> None:
        self._stream = stream or sys.stderr
        self._quiet = quiet

    def say(self, text: str) -> None:
        if not self._quiet:
            print(f"sandbox: {text}", file=self._stream, flush=True)

    @contextmanager
    def step(self, text: str, *, long: bool = False) -> Iterator[None]:
        """Prints that `text` is in progress and, at the end, how long it took.

        A `long` step is also announced on a plain stream, where silence would look like a hang.
        """
        began = time.monotonic()
        live = _live(self._stream, text) if not self._quiet else None
        if live is None and long:
            self.say(f"{text} …")
        with live or _nothing():
            yield
        self.say(f"{text}: {time.monotonic() - began:.1f} s")


@contextmanager
def _nothing() -> Iterator[None]:
    yield


def _live(stream: TextIO, text: str) -> AbstractContextManager[object] | None:
    if not stream.isatty():
        return None
    try:
        from rich.console import Console
        from rich.progress import Progress as Bar
        from rich.progress import SpinnerColumn, TextColumn, TimeElapsedColumn
    except ImportError:
        return None
    bar = Bar(
        SpinnerColumn(),
        TextColumn("sandbox: {task.description}"),
        TimeElapsedColumn(),
        console=Console(file=stream),
        transient=True,
    )
    bar.add_task(text, total=None)
    return bar
