"""The site has every page of `docs/`, and its links lead somewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

import mkdocs_hooks

ROOT = Path(__file__).parents[2]
REPOSITORY = "https://forge.example/canarium"


class Loader(yaml.SafeLoader):
    """Reads the tags of mkdocs that name Python objects as nothing."""


Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda *_: None)


def in_nav(entry: Any) -> Iterator[str]:
    """Yields the pages of an entry of the navigation."""
    if isinstance(entry, str):
        yield entry
    else:
        for value in entry.values() if isinstance(entry, dict) else entry:
            yield from in_nav(value)


def test_every_page_is_in_the_navigation_once() -> None:
    by_hand = yaml.load((ROOT / "mkdocs.yml").read_text(), Loader)["nav"]
    nav = list(in_nav(mkdocs_hooks.with_decisions(by_hand, ROOT / "docs")))
    pages = (path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md"))
    assert sorted(nav) == sorted(pages)


def test_links_out_of_the_folder_lead_to_the_repository() -> None:
    page = "[a](../../charts/README.md#values) [b](../glossary.md) [c](x.md#y)"
    found = mkdocs_hooks.rewritten(page, "guides/page.md", REPOSITORY)
    assert found == (
        f"[a]({REPOSITORY}/blob/main/charts/README.md#values) [b](../glossary.md) [c](x.md#y)"
    )
    assert mkdocs_hooks.rewritten("[d](../SECURITY.md)", "page.md", REPOSITORY) == (
        f"[d]({REPOSITORY}/blob/main/SECURITY.md)"
    )
