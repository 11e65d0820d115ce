"""Links of the site that leave `docs/`: a hook of mkdocs that leads them to the repository.

On a forge they are relative, so that they lead to the file of the same commit.
"""

from __future__ import annotations

import posixpath
import re
from typing import Any

_LINK = re.compile(r"\]\((\.\./[^)\s]*)\)")


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
