"""Hooks of mkdocs: every decision is in the navigation, and links out of `docs/` are absolute.

On a forge such links are relative, so that they lead to the file of the same commit. On the site
they lead to the repository.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

_LINK = re.compile(r"\]\((\.\./[^)\s]*)\)")


def with_decisions(nav: list[Any], docs: Path) -> list[Any]:
    """Returns the navigation with the decisions of the folder `docs` in their section."""
    complete: list[Any] = []
    for entry in nav:
        if isinstance(entry, dict):
            [(title, below)] = entry.items()
            if title == "Decisions":
                numbered = sorted((docs / "decisions").glob("[0-9]*.md"))
                below = [*below, *(path.relative_to(docs).as_posix() for path in numbered)]
            elif isinstance(below, list):
                below = with_decisions(below, docs)
            entry = {title: below}
        complete.append(entry)
    return complete


def on_config(config: Any) -> Any:
    """Completes the navigation; mkdocs calls it once."""
    config["nav"] = with_decisions(config["nav"], Path(config["docs_dir"]))
    return config


def rewritten(markdown: str, page: str, repository: str) -> str:
    """Returns a page of the folder `docs` (its path there) with links out of it made absolute."""

    def absolute(link: re.Match[str]) -> str:
        path, mark, anchor = link[1].partition("#")
        target = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), path))
        if target.startswith("docs/"):
            return link[0]
        return f"]({repository}/blob/main/{target}{mark}{anchor})"

    return _LINK.sub(absolute, markdown)


def on_page_markdown(markdown: str, *, page: Any, config: Any, files: Any) -> str:
    """Rewrites the links of one page; mkdocs calls it for each."""
    return rewritten(markdown, page.file.src_uri, config["repo_url"].rstrip("/"))
