"""A page as a walk: its commands in order, each block with the expected output."""

from __future__ import annotations

import re
from dataclasses import dataclass

from support.images import ROOT

_FENCE = re.compile(r"(?ms)^```(sh|text)\n(.*?)^```")


@dataclass(frozen=True)
class Block:
    """Commands that belong together, and the output that the page expects of them, if any."""

    commands: tuple[str, ...]
    expected: str = ""

    def matches(self, output: str) -> bool:
        """Whether the expected lines are in the output; `…` stands for any text, a line of it
        for any lines."""
        return re.search(_pattern(self.expected), output, re.MULTILINE) is not None


def walk(page: str) -> list[Block]:
    """Returns the blocks of a page in order. Raises ValueError for output without commands."""
    found: list[Block] = []
    for kind, text in _FENCE.findall((ROOT / page).read_text()):
        if kind == "sh":
            lines = text.replace("\\\n", " ").splitlines()
            found.append(Block(tuple(line for line in lines if line)))
        elif not found or found[-1].expected:
            raise ValueError(f"{page}: output without commands: {text}")
        else:
            found[-1] = Block(found[-1].commands, text)
    return found


def _pattern(expected: str) -> str:
    lines = []
    for line in expected.splitlines():
        if line.strip() == "…":
            lines.append("(?:.*\n)*?")
        else:
            lines.append("^" + ".*".join(map(re.escape, line.split("…"))) + "$\n?")
    return "".join(lines)
