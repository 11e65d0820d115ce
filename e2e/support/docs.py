"""Commands that the docs recommend: tests run them exactly as they are written there."""

from __future__ import annotations

import re
import shlex

from support.images import ROOT

_TOOLS = ("kubectl ", "helm ", "argocd ")


def commands(page: str) -> list[str]:
    """Every command of a user's tools in the fenced blocks of a page, in their order."""
    return [line for line in blocks(page) if line.startswith(_TOOLS)]


def blocks(page: str) -> list[str]:
    """Every line of the fenced blocks of a shell on a page; a continued line is one."""
    text = (ROOT / page).read_text()
    # Every fence is matched, or the end of another kind of block would begin one.
    fences = re.findall(r"(?ms)^```(\w*)\n(.*?)^```", text)
    scripts = [block for kind, block in fences if kind in ("", "sh", "console")]
    return [line for block in scripts for line in block.replace("\\\n", " ").splitlines()]


def documented(page: str, beginning: str) -> list[str]:
    """The words, after the tool's name, of the one command that begins so.

    Raises LookupError when the page has none, or several.
    """
    matches = [line for line in commands(page) if line.startswith(beginning)]
    if len(matches) != 1:
        raise LookupError(f"{page} has {len(matches)} commands that begin with {beginning!r}")
    return shlex.split(matches[0], comments=True)[1:]
