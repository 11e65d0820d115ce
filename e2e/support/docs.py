"""Commands that the docs recommend: tests run them exactly as they are written there."""

from __future__ import annotations

import re
import shlex
import textwrap
from dataclasses import dataclass

from support.images import ROOT

_TOOLS = ("kubectl ", "helm ", "argocd ")
#: A heading of a section, or a block; those in lists are indented.
_PART = re.compile(
    r"(?ms)^##+ (?P<section>[^\n]+)$|^(?P<indent> *)```(?P<kind>\w*)\n(?P<text>.*?)^(?P=indent)```$"
)
#: The blocks that readers copy into a shell.
SHELLS = ("sh", "bash", "console")


@dataclass(frozen=True)
class Fence:
    """A fenced block of a page, below the heading `section`."""

    page: str
    section: str
    kind: str
    text: str

    @property
    def lines(self) -> list[str]:
        """The commands of a block for a shell: a continued line is one, and in a `console` block
        only what follows the prompt counts."""
        joined = self.text.replace("\\\n", " ").splitlines()
        if self.kind == "console":
            return [line.removeprefix("$ ") for line in joined if line.startswith("$ ")]
        return [line for line in joined if line.strip()]


def fences(page: str) -> list[Fence]:
    """Returns every fenced block of a page, in order."""
    parsed = []
    section = ""
    # Every fence is matched, or the end of another kind of block would begin one.
    for part in _PART.finditer((ROOT / page).read_text()):
        section = part["section"] or section
        if part["kind"] is not None:
            text = textwrap.dedent(part["text"])
            parsed.append(Fence(page, section, part["kind"], text))
    return parsed


def commands(page: str) -> list[str]:
    """Every command of a user's tools in the fenced blocks of a page, in their order."""
    return [line for line in blocks(page) if line.startswith(_TOOLS)]


def blocks(page: str) -> list[str]:
    """Every line of the fenced blocks of a shell on a page; a continued line is one."""
    return [line for fence in fences(page) if fence.kind in SHELLS for line in fence.lines]


def command(page: str, beginning: str) -> str:
    """Returns the one command of a page that begins so, or that is exactly this one, without its
    comment. Raises LookupError when the page has none, or several."""
    matches = {line for line in map(uncommented, blocks(page)) if line.startswith(beginning)}
    if beginning in matches:
        return beginning
    if len(matches) != 1:
        raise LookupError(f"{page} has {len(matches)} commands that begin with {beginning!r}")
    return matches.pop()


def uncommented(line: str) -> str:
    """Returns a command without its comment, and with single spaces where it was continued."""
    return re.sub(r" {2,}", " ", re.sub(r" +# .*$", "", line)).strip()


def documented(page: str, beginning: str) -> list[str]:
    """The words, after the tool's name, of the one command that begins so.

    Raises LookupError when the page has none, or several.
    """
    return shlex.split(command(page, beginning))[1:]
