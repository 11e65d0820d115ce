"""Lines of styled text: what every view prints, with or without colors.

Pods, Events and other clusters' people write part of that text, so control characters become
visible escapes here: a terminal would obey them.
"""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import zip_longest

from canarium.untrusted.quoting import escaped

#: Text that may need escapes; breaks of lines and tabs do no harm.
_WITHIN = re.compile(r"[^\n\t]+")


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
    """A piece of a line. Its text is printable, also that of containers."""

    text: str
    style: Style = Style.PLAIN

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", printable(self.text))


#: What is between two columns; and, where a table does not fit, before a line that continues a row
#: and between two of its cells.
_GAP, _BELOW, _BETWEEN = "   ", "    ", "  "
Line = tuple[Span, ...]
Cell = Span | str


def printable(text: str) -> str:
    """Returns `text` with visible escapes in place of control and format characters."""
    if text.isascii() and text.isprintable():
        return text
    return _WITHIN.sub(lambda match: escaped(match[0]), text)


def line(*parts: Cell) -> Line:
    """A line of spans; strings are plain."""
    return tuple(_span(part) for part in parts)


def plain(spans: Line) -> str:
    """The text of a line, without trailing spaces."""
    return "".join(span.text for span in spans).rstrip()


def table(
    head: Sequence[str],
    rows: Iterable[Sequence[Cell]],
    indent: str = "",
    width: int | None = None,
    at_least: list[int] | None = None,
) -> list[Line]:
    """A table with columns as wide as their widest cell, as kubectl prints it.

    Where that does not fit into `width`, each row becomes a few lines: its first cell, and below it
    the others with the names of their columns. `at_least` are the widths of what was printed above
    it; afterwards they are those of this table, so that more rows may follow.
    """
    body = [[_in_one_line(_span(cell)) for cell in row] for row in rows]
    every = [[Span(title, Style.MUTED) for title in head], *body]
    widths = [max(width_of(row[column].text) for row in every) for column in range(len(head))]
    if at_least is not None:
        widths = [max(pair) for pair in zip_longest(widths, at_least, fillvalue=0)]
        at_least[:] = widths
    if width is not None and len(indent) + sum(widths) + len(_GAP) * (len(head) - 1) > width:
        return [line(indent, *spans) for row in body for spans in _narrow(head, row, width)]
    return [
        (
            Span(indent),
            *(
                Span(span.text + " " * (width - width_of(span.text)) + _GAP, span.style)
                for span, width in zip(row, widths, strict=True)
            ),
        )
        for row in every
    ]


def width_of(text: str) -> int:
    """How many columns of a terminal a text takes: two for each wide character (UAX #11), none for
    a mark that combines with the character before."""
    if text.isascii():
        return len(text)
    wide = sum(unicodedata.east_asian_width(x) in "WF" for x in text)
    return len(text) + wide - sum(unicodedata.combining(x) > 0 for x in text)


def _in_one_line(span: Span) -> Span:
    """A cell without breaks of lines, which could imitate another row."""
    return span if span.text.isprintable() else Span(" ".join(span.text.split()), span.style)


def _narrow(head: Sequence[str], row: Sequence[Span], width: int) -> Iterator[Line]:
    """Yields a row of a table as lines of at most `width`, unless a word is longer."""
    yield (row[0],)
    shown, used = [Span(_BELOW)], len(_BELOW)
    for title, cell in zip(head[1:], row[1:], strict=True):
        if cell.text in ("", "-"):
            continue
        room = max(1, width - len(_BELOW) - len(title) - 1)
        first, *more = textwrap.wrap(cell.text, room, break_long_words=False) or [""]
        needed = len(title) + 1 + len(first)
        if len(shown) > 1 and used + len(_BETWEEN) + needed > width:
            yield tuple(shown)
            shown, used = [Span(_BELOW)], len(_BELOW)
        elif len(shown) > 1:
            shown.append(Span(_BETWEEN))
            used += len(_BETWEEN)
        shown += [Span(f"{title} ", Style.MUTED), Span(first, cell.style)]
        used += needed
        for words in more:
            yield tuple(shown)
            shown = [Span(" " * (len(_BELOW) + len(title) + 1)), Span(words, cell.style)]
            used = width
    if len(shown) > 1:
        yield tuple(shown)


def bar(percent: int | None, width: int = 30) -> str:
    """A bar of `width` characters that is filled by `percent`."""
    filled = round(width * min(100, max(0, percent or 0)) / 100)
    return "█" * filled + "░" * (width - filled)


def _span(cell: Cell) -> Span:
    return cell if isinstance(cell, Span) else Span(cell)
