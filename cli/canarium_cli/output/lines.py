"""Lines of styled text: what every view prints, with or without colors."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum


class Style(StrEnum):
    """Meaning of a piece of text, which a word or a symbol beside it repeats without colors."""

    PLAIN = "default"
    TITLE = "bold"
    GOOD = "green"
    WARNING = "yellow"
    BAD = "red"
    ACTIVE = "cyan"
    MUTED = "dim"


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of a line."""

    text: str
    style: Style = Style.PLAIN


Line = tuple[Span, ...]
Cell = Span | str


def line(*parts: Cell) -> Line:
    """A line of spans; strings are plain."""
    return tuple(_span(part) for part in parts)


def plain(spans: Line) -> str:
    """The text of a line, without trailing spaces."""
    return "".join(span.text for span in spans).rstrip()


def table(head: Sequence[str], rows: Iterable[Sequence[Cell]], indent: str = "") -> list[Line]:
    """A table with columns as wide as their widest cell, as kubectl prints it."""
    body = [[_span(cell) for cell in row] for row in rows]
    every = [[Span(title, Style.MUTED) for title in head], *body]
    widths = [max(len(row[column].text) for row in every) for column in range(len(head))]
    return [
        (
            Span(indent),
            *(
                Span(span.text.ljust(width) + "   ", span.style)
                for span, width in zip(row, widths, strict=True)
            ),
        )
        for row in every
    ]


def bar(percent: int | None, width: int = 30) -> str:
    """A bar of `width` characters that is filled by `percent`."""
    filled = round(width * min(100, max(0, percent or 0)) / 100)
    return "█" * filled + "░" * (width - filled)


def _span(cell: Cell) -> Span:
    return cell if isinstance(cell, Span) else Span(cell)
