"""Prints lines: with colors on a terminal, else as plain text; and redraws a view in place."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from types import TracebackType
from typing import TYPE_CHECKING, Self

import click

from canarium_cli.output.lines import Line, Style, plain, printable

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text


def colored(color: str) -> bool:
    """Whether to print colors: `always`, `never`, or `auto`, which asks the terminal and
    NO_COLOR (https://no-color.org)."""
    if color == "auto":
        return sys.stdout.isatty() and not os.environ.get("NO_COLOR")
    return color == "always"


def columns() -> int | None:
    """The width of the terminal; None where stdout is none."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else None


def height() -> int:
    """The lines of the terminal that a view may fill: the cursor has the last one."""
    return max(2, shutil.get_terminal_size().lines - 1)


def echo(text: str, *, err: bool = False) -> None:
    """Prints text to stdout or stderr, with escapes in place of control characters."""
    click.echo(printable(text), err=err)


def write(lines: Iterable[Line], color: str) -> None:
    """Prints lines to stdout."""
    styled = colored(color)
    texts = [
        "".join(_ansi(span.text, span.style) for span in spans).rstrip() if styled else plain(spans)
        for spans in lines
    ]
    # At once: each `echo` flushes.
    if texts:
        click.echo("\n".join(texts), color=styled or None)


def _ansi(text: str, style: Style) -> str:
    if style is Style.PLAIN or not text:
        return text
    if style in (Style.TITLE, Style.MUTED):
        return click.style(text, bold=style is Style.TITLE, dim=style is Style.MUTED or None)
    return click.style(text, fg=style.value)


class Screen:
    """Shows the newest lines of a view: redrawn in place on a terminal, else appended where they
    differ from the ones before, so that a log of a pipeline reads as a story.

    `full`: on a separate screen, which disappears at the end; lines are cut instead of wrapped.
    """

    def __init__(self, color: str, *, full: bool = False) -> None:
        self._color, self._full = color, full
        self._live: Live | None = None
        self._last: list[str] = []

    def __enter__(self) -> Self:
        if sys.stdout.isatty():
            from rich.console import Console
            from rich.live import Live

            console = Console(no_color=not colored(self._color), highlight=False)
            self._live = Live(
                console=console,
                auto_refresh=False,
                vertical_overflow="crop" if self._full else "visible",
                screen=self._full,
            )
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live:
            self._live.stop()

    @property
    def redraws(self) -> bool:
        """Whether lines replace each other."""
        return self._live is not None

    def show(self, lines: list[Line]) -> None:
        """Replaces what is shown; without a terminal, prints it where it changed."""
        if self._live:
            self._live.update(_rich(lines, cut=self._full), refresh=True)
            return
        texts = [plain(spans) for spans in lines]
        if texts != self._last:
            for text in texts:
                click.echo(text)
            self._last = texts


def _rich(lines: list[Line], *, cut: bool) -> Text:
    from rich.text import Text

    text = Text(no_wrap=cut, overflow="crop" if cut else None)
    for number, spans in enumerate(lines):
        if number:
            text.append("\n")
        for span in spans:
            text.append(span.text, style=span.style.value)
    return text
