"""A page as a walk: its commands in order, each block with the expected output."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace

from support.images import ROOT

#: A heading of a section, or a block of commands or of output.
_PART = re.compile(r"(?ms)^## (?P<section>[^\n]+)$|^```(?P<kind>\w*)\n(?P<text>.*?)^```")


@dataclass(frozen=True)
class Block:
    """Commands that belong together, and the output that the page expects of them, if any."""

    section: str
    commands: tuple[str, ...]
    expected: str = ""

    def matches(self, output: str) -> bool:
        """Whether the expected lines are in the output; `…` stands for any text, a line of it
        for any lines."""
        return re.search(_pattern(self.expected), output, re.MULTILINE) is not None


def walk(page: str) -> list[Block]:
    """Returns the blocks of a page in order. Raises ValueError for output without commands."""
    blocks: list[Block] = []
    section = ""
    for part in _PART.finditer((ROOT / page).read_text()):
        kind, text = part["kind"], part["text"]
        section = part["section"] or section
        if kind == "sh":
            lines = text.replace("\\\n", " ").splitlines()
            blocks.append(Block(section, tuple(line for line in lines if line)))
        elif kind == "text" and (not blocks or blocks[-1].expected):
            raise ValueError(f"{page}: output without commands: {text}")
        elif kind == "text":
            blocks[-1] = replace(blocks[-1], expected=text)
    return blocks


def _pattern(expected: str) -> str:
    lines = []
    for line in expected.splitlines():
        if line.strip() == "…":
            lines.append("(?:.*\n)*?")
        else:
            lines.append("^" + ".*".join(map(re.escape, line.split("…"))) + "$\n?")
    return "".join(lines)
