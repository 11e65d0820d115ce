"""A real terminal for tests: a program in a window of tmux, and what its user sees."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest


class Terminal:
    """One window of a separate tmux server, whose socket is in `folder`."""

    def __init__(
        self, folder: Path, command: list[str], environment: Mapping[str, str], lines: int = 30
    ) -> None:
        tmux = shutil.which("tmux")
        if tmux is None:
            pytest.skip("tmux is not installed")
        self._tmux = [tmux, "-S", str(folder / "tmux"), "-f", "/dev/null"]
        self._start = ["new-session", "-d", "-x", "140", "-y", str(lines), *command]
        # Workers of pytest have the size of another terminal in their environment.
        sizes = {"COLUMNS", "LINES"}
        own = {name: value for name, value in environment.items() if name not in sizes}
        self._environment = {**own, "TERM": "screen-256color", "LC_ALL": "C.UTF-8"}

    def __enter__(self) -> Self:
        subprocess.run([*self._tmux, *self._start], env=self._environment, check=True)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        subprocess.run([*self._tmux, "kill-server"], capture_output=True)

    def press(self, *keys: str) -> None:
        """Sends keys by tmux' names, or text."""
        subprocess.run([*self._tmux, "send-keys", *keys], check=True)

    def text(self) -> str:
        """What the window shows; empty once the program has ended."""
        done = subprocess.run([*self._tmux, "capture-pane", "-p"], capture_output=True, text=True)
        return done.stdout

    def until(self, holds: Callable[[str], bool], seconds: float = 30) -> str:
        """Waits until the window shows what is wanted, and returns its text."""
        end = time.monotonic() + seconds
        while not holds(shown := self.text()):
            assert time.monotonic() < end, shown
            time.sleep(0.05)
        return shown
