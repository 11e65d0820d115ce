"""Copies `docs/` for the site, with links out of the folder made absolute: `site_pages.py TO`.

On a forge such links are relative, so that they lead to the file of the same commit. On the site
they lead to the repository. Any builder of sites can read the copy; `make docs` runs mkdocs.
"""

from __future__ import annotations

import posixpath
import re
import shutil
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
_LINK = re.compile(r"\]\((\.\./[^)\s]*)\)")
_REPOSITORY = re.compile(r"(?m)^repo_url: (\S+)$")


def rewritten(markdown: str, page: str, repository: str) -> str:
    """Returns a page of the folder `docs` (its path there) with links out of it made absolute."""

    def absolute(link: re.Match[str]) -> str:
        path, mark, anchor = link[1].partition("#")
        target = posixpath.normpath(posixpath.join("docs", posixpath.dirname(page), path))
        if target.startswith("docs/"):
            return link[0]
        return f"]({repository}/blob/main/{target}{mark}{anchor})"

    return _LINK.sub(absolute, markdown)


def copy(source: Path, to: Path, repository: str) -> None:
    """Writes the folder `source` to `to`, which is emptied first."""
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(source, to)
    for path in to.rglob("*.md"):
        page = path.relative_to(to).as_posix()
        path.write_text(rewritten(path.read_text(), page, repository))


if __name__ == "__main__":
    [repository] = _REPOSITORY.findall((ROOT / "mkdocs.yml").read_text())
    copy(ROOT / "docs", Path(sys.argv[1]), repository.rstrip("/"))
